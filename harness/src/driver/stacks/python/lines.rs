//! The line of an instruction, from the tables of code objects. Pure.

/// How a table is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// Up to 3.9 (`Objects/lnotab_notes.txt`): pairs of steps, in bytes of code and in
    /// lines.
    Pairs,
    /// 3.10 (PEP 626): ranges, each with its step in lines; -128 is for code without one.
    Ranges,
    /// From 3.11 on (`Objects/locations.md`): entries of several lengths, of which a
    /// step in lines is all that is needed here.
    Locations,
}

/// The table of one code object.
pub(super) struct LineTable<'a> {
    pub(super) form: Form,
    pub(super) first_line: i32,
    pub(super) table: &'a [u8],
}

impl LineTable<'_> {
    /// The line of the instruction at this byte of the code. `None` where it has none.
    pub(super) fn line(&self, instruction: u64) -> Option<u32> {
        let line = match self.form {
            Form::Pairs => Some(self.by_pairs(instruction)),
            Form::Ranges => self.by_ranges(instruction),
            Form::Locations => self.by_locations(instruction),
        };
        line.and_then(|line| u32::try_from(line).ok()).filter(|line| *line > 0)
    }

    fn pairs(&self) -> impl Iterator<Item = (u64, i64)> + '_ {
        self.table.chunks_exact(2).map(|pair| (u64::from(pair[0]), i64::from(pair[1].cast_signed())))
    }

    fn by_pairs(&self, instruction: u64) -> i64 {
        let (mut at, mut line) = (0, i64::from(self.first_line));
        for (bytes, lines) in self.pairs() {
            at += bytes;
            if at > instruction {
                break;
            }
            line += lines;
        }
        line
    }

    fn by_ranges(&self, instruction: u64) -> Option<i64> {
        let (mut end, mut line) = (0, i64::from(self.first_line));
        for (bytes, lines) in self.pairs() {
            end += bytes;
            let none = lines == -128;
            line += if none { 0 } else { lines };
            if instruction < end {
                return (!none).then_some(line);
            }
        }
        None
    }

    fn by_locations(&self, instruction: u64) -> Option<i64> {
        let (mut end, mut line) = (0, i64::from(self.first_line));
        let mut rest = self.table;
        while let [head, after @ ..] = rest {
            // Only the first byte of an entry has its highest bit set.
            let length = after.iter().take_while(|byte| **byte < 0x80).count();
            let (entry, next) = after.split_at_checked(length)?;
            rest = next;
            let none = match head >> 3 & 15 {
                15 => true,
                13 | 14 => {
                    line += signed(entry)?;
                    false
                }
                step @ 10..=12 => {
                    line += i64::from(step) - 10;
                    false
                }
                _ => false,
            };
            end += (u64::from(head & 7) + 1) * 2;
            if instruction < end {
                return (!none).then_some(line);
            }
        }
        None
    }
}

/// A number in parts of six bits, the lowest first; the lowest bit is its sign.
fn signed(bytes: &[u8]) -> Option<i64> {
    let (mut number, mut shift) = (0u32, 0u32);
    for byte in bytes {
        number |= u32::from(byte & 63).checked_shl(shift)?;
        shift += 6;
        if byte & 64 == 0 {
            let half = i64::from(number >> 1);
            return Some(if number & 1 == 1 { -half } else { half });
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn lines(form: Form, first_line: i32, table: &[u8], until: u64) -> Vec<Option<u32>> {
        (0..until).step_by(2).map(|at| LineTable { form, first_line, table }.line(at)).collect()
    }

    #[test]
    fn each_form_has_its_steps() {
        assert_eq!(lines(Form::Pairs, 5, &[2, 1, 2, 255, 0, 10], 6), [Some(5), Some(6), Some(15)]);
        assert_eq!(lines(Form::Ranges, 5, &[2, 1, 2, 128, 2, 255], 8), [Some(6), None, Some(5), None]);
        // Two code units without a location, one a line further, one three lines back.
        let table = [0x80 | 15 << 3 | 1, 0x80 | 11 << 3, 0, 9, 0x80 | 13 << 3, 7];
        assert_eq!(lines(Form::Locations, 5, &table, 10), [None, None, Some(6), Some(3), None]);
    }

    proptest! {
        #[test]
        fn no_table_is_too_wild(table: Vec<u8>, first_line: i32, at: u64) {
            for form in [Form::Pairs, Form::Ranges, Form::Locations] {
                let _ = LineTable { form, first_line, table: &table }.line(at);
            }
        }
    }
}
