//! One table of a text against its section: which keys are there, which are
//! unknown, missing or at odds, and which values have the wrong type.

use super::diagnostic::Diagnostic;
use super::keys::homes_of;
use super::shape::{Form, Key, Section, Shape, found};
use super::suggest::{either, nearest};
use std::ops::Range;
use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

/// A TOML value with its place.
pub(super) type Value<'i> = Spanned<DeValue<'i>>;

/// What is read and what is wrong so far.
#[derive(Debug)]
pub(super) struct Reader<'t> {
    /// The whole text.
    pub(super) text: &'t str,
    /// What is wrong with it.
    pub(super) diagnostics: Vec<Diagnostic>,
}

/// A string of the text that is known to hold no NUL.
#[derive(Debug, Clone)]
pub(super) struct Quoted<'a> {
    /// What it says.
    pub(super) text: &'a str,
    /// Where it stands, quotes included.
    pub(super) span: Range<usize>,
}

/// A table of the text whose keys have been checked.
#[derive(Debug)]
pub(super) struct Fields<'a, 'i> {
    /// What may stand in it.
    pub(super) section: &'static Section,
    /// What stands in it.
    pub(super) table: &'a DeTable<'i>,
    /// Its header, or the table itself where it is inline.
    pub(super) span: Range<usize>,
}

impl<'a, 'i> Fields<'a, 'i> {
    fn key(&self, name: &str) -> &'static Key {
        self.section
            .find(name)
            .unwrap_or_else(|| panic!("[quietus internal bug] {} has no key {name}", self.section.header))
    }

    /// The value of a key.
    pub(super) fn value(&self, name: &str) -> Option<&'a Value<'i>> {
        self.key(name);
        self.table.get(name)
    }

    /// Where the value of a key stands; without it, where the table does.
    pub(super) fn span_of(&self, name: &str) -> Range<usize> {
        self.value(name).map_or(self.span.clone(), Spanned::span)
    }
}

impl<'t> Reader<'t> {
    /// Notes what is wrong.
    pub(super) fn report(&mut self, diagnostic: Diagnostic) {
        self.diagnostics.push(diagnostic);
    }

    /// Checks the keys of a table.
    pub(super) fn fields<'a, 'i>(
        &mut self,
        section: &'static Section,
        table: &'a DeTable<'i>,
        span: Range<usize>,
    ) -> Fields<'a, 'i> {
        // Keys that are there under another name: they are not missing too.
        let mut misspelt = Vec::new();
        for (name, value) in table {
            match section.find(name.get_ref()) {
                None => misspelt.extend(self.unknown_key(section, name, value)),
                Some(Key { shape: Shape::Later(what), .. }) => self.report(
                    Diagnostic::new("not-yet", name.span(), format!("this version cannot {what} yet"))
                        .label(format!("`{}` is not in this version", section.path_of(name.get_ref()))),
                ),
                Some(_) => {}
            }
        }
        for key in section
            .keys
            .iter()
            .filter(|key| key.required && !table.contains_key(key.name) && !misspelt.contains(&key.name))
        {
            self.missing(section, &[key.name], &span);
        }
        self.companions(section, table, &span, &misspelt);
        Fields { section, table, span }
    }

    fn companions(&mut self, section: &'static Section, table: &DeTable<'_>, span: &Range<usize>, misspelt: &[&str]) {
        let present = |names: &'static [&'static str]| {
            names.iter().filter_map(|name| table.get_key_value(*name)).map(|(key, _)| key).collect::<Vec<_>>()
        };
        let one = present(section.exactly_one);
        if one.is_empty()
            && !section.exactly_one.is_empty()
            && !section.exactly_one.iter().any(|name| misspelt.contains(name))
        {
            self.missing(section, section.exactly_one, span);
        }
        for keys in [one, present(section.at_most_one)] {
            let [first, others @ ..] = keys.as_slice() else { continue };
            for other in others {
                let message = format!(
                    "`{}` and `{}` exclude each other",
                    section.path_of(first.get_ref()),
                    section.path_of(other.get_ref())
                );
                self.report(
                    Diagnostic::new("conflict", other.span(), message)
                        .label("remove this one")
                        .also(first.span(), "or this one"),
                );
            }
        }
        for (key, beside) in section.needs {
            if let Some((key, _)) = table.get_key_value(*key).filter(|_| !table.contains_key(*beside)) {
                let message = format!("`{}` has no meaning without `{beside}`", section.path_of(key.get_ref()));
                self.report(
                    Diagnostic::new("needless-key", key.span(), message).label(format!("remove it, or add `{beside}`")),
                );
            }
        }
    }

    fn missing(&mut self, section: &'static Section, keys: &[&str], span: &Range<usize>) {
        let place = if section.header.is_empty() { "a scenario".to_owned() } else { format!("`{}`", section.header) };
        let message = format!("{place} needs {}", either(keys));
        let docs = keys
            .iter()
            .filter_map(|name| section.find(name))
            .map(|key| format!("`{}`: {}", key.name, key.doc))
            .collect::<Vec<_>>();
        self.report(
            Diagnostic::new("missing-key", span.clone(), message)
                .label(format!("add {}", either(keys)))
                .help(docs.join(" ")),
        );
    }

    /// Reports a key that the section does not have; gives the one that is meant, if that is clear.
    fn unknown_key(
        &mut self,
        section: &'static Section,
        name: &Spanned<DeString<'_>>,
        value: &Value<'_>,
    ) -> Option<&'static str> {
        let place = if section.header.is_empty() {
            "the top of a scenario".to_owned()
        } else {
            format!("`{}`", section.header)
        };
        let given: &str = name.get_ref();
        let usable = || section.keys.iter().filter(|key| !matches!(key.shape, Shape::Later(_)));
        let renamed = usable()
            .find(|key| key.elsewhere.iter().any(|other| other.eq_ignore_ascii_case(given)))
            .map(|key| key.name);
        let known: Vec<&'static str> = usable().map(|key| key.name).collect();
        // A table at the top is no key that strayed from another section.
        let homes = if value.get_ref().is_table() { Vec::new() } else { homes_of(given) };
        let meant = nearest(given, known.iter().copied()).or(renamed);
        let help = if let Some(name) = meant {
            format!("did you mean `{name}`?")
        } else if !homes.is_empty() {
            format!("`{given}` belongs under {}", either(&homes))
        } else {
            format!("it may have {}", either(&known))
        };
        self.report(
            Diagnostic::new("unknown-key", name.span(), format!("{place} has no key `{given}`"))
                .label("unknown key")
                .help(help),
        );
        meant
    }

    /// Says that a value has the wrong type.
    pub(super) fn wrong_type(&mut self, path: &str, shape: &Shape, value: &Value<'_>) {
        let message = format!("`{path}` must be {}, and this is {}", shape.wanted(), found(value.get_ref()));
        self.report(
            Diagnostic::new("wrong-type", value.span(), message)
                .label(format!("{}, not {}", short(shape), found(value.get_ref())))
                .maybe_help(shape.remedy(value.get_ref())),
        );
    }

    /// A string without NUL.
    pub(super) fn quoted<'a>(&mut self, path: &str, shape: &Shape, value: &'a Value<'_>) -> Option<Quoted<'a>> {
        let Some(text) = value.get_ref().as_str() else {
            self.wrong_type(path, shape, value);
            return None;
        };
        if text.contains('\0') {
            self.report(
                Diagnostic::new("nul-byte", value.span(), format!("`{path}` has a NUL byte"))
                    .label("no text of a scenario may have one"),
            );
            return None;
        }
        Some(Quoted { text, span: value.span() })
    }

    /// The string of a key.
    pub(super) fn text<'a>(&mut self, fields: &Fields<'a, '_>, name: &str) -> Option<Quoted<'a>> {
        let shape = &fields.key(name).shape;
        debug_assert!(matches!(shape, Shape::Text(_)), "{name}");
        self.quoted(&fields.section.path_of(name), shape, fields.value(name)?)
    }

    /// The string of a key, read by `read`.
    pub(super) fn one<'a, T>(
        &mut self,
        fields: &Fields<'a, '_>,
        name: &str,
        read: impl Fn(&mut Self, &Quoted<'a>) -> Option<T>,
    ) -> Option<T> {
        let quoted = self.text(fields, name)?;
        read(self, &quoted)
    }

    /// The strings of a list, read by `read`. `None` if there is no list; what
    /// cannot be read is reported and left out.
    pub(super) fn many<'a, T>(
        &mut self,
        fields: &Fields<'a, '_>,
        name: &str,
        read: impl Fn(&mut Self, &Quoted<'a>) -> Option<T>,
    ) -> Option<Vec<T>> {
        self.list(&fields.section.path_of(name), &fields.key(name).shape, fields.value(name)?, read)
    }

    /// The strings of this list.
    pub(super) fn list<'a, T>(
        &mut self,
        path: &str,
        shape: &Shape,
        value: &'a Value<'_>,
        read: impl Fn(&mut Self, &Quoted<'a>) -> Option<T>,
    ) -> Option<Vec<T>> {
        let items = self.items(path, shape, value)?;
        let Shape::List(item_shape) = shape else { unreachable!("[quietus internal bug] {path} is no list") };
        let quoted: Vec<_> = items
            .iter()
            .enumerate()
            .filter_map(|(index, item)| self.quoted(&format!("{path}[{index}]"), item_shape, item))
            .collect();
        Some(quoted.iter().filter_map(|quoted| read(self, quoted)).collect())
    }

    /// The items of a list that is not empty.
    pub(super) fn items<'a, 'i>(&mut self, path: &str, shape: &Shape, value: &'a Value<'i>) -> Option<&'a [Value<'i>]> {
        let Some(items) = value.get_ref().as_array() else {
            self.wrong_type(path, shape, value);
            return None;
        };
        if items.is_empty() {
            self.report(
                Diagnostic::new("empty", value.span(), format!("`{path}` is an empty list"))
                    .label(format!("must be {}", shape.wanted())),
            );
            return None;
        }
        Some(items)
    }

    /// A flag.
    pub(super) fn flag(&mut self, fields: &Fields<'_, '_>, name: &str) -> Option<bool> {
        let value = fields.value(name)?;
        let flag = value.get_ref().as_bool();
        if flag.is_none() {
            self.wrong_type(&fields.section.path_of(name), &fields.key(name).shape, value);
        }
        flag
    }

    /// A number within the bounds of its key.
    pub(super) fn number(&mut self, fields: &Fields<'_, '_>, name: &str) -> Option<u32> {
        let (path, shape) = (fields.section.path_of(name), &fields.key(name).shape);
        let Shape::Number(least, most) = *shape else { unreachable!("[quietus internal bug] {path} is no number") };
        let value = fields.value(name)?;
        let Some(number) = value.get_ref().as_integer() else {
            self.wrong_type(&path, shape, value);
            return None;
        };
        let read =
            i128::from_str_radix(number.as_str(), number.radix()).ok().and_then(|number| u32::try_from(number).ok());
        let read = read.filter(|number| (least..=most).contains(number));
        if read.is_none() {
            let message = format!("`{path}` must be {}", shape.wanted());
            self.report(Diagnostic::new("out-of-range", value.span(), message).label("out of range"));
        }
        read
    }

    /// The table of a key.
    pub(super) fn table<'a, 'i>(&mut self, fields: &Fields<'a, 'i>, name: &str) -> Option<Fields<'a, 'i>> {
        let shape = &fields.key(name).shape;
        let Shape::Table(section) = *shape else { unreachable!("[quietus internal bug] {name} is no table") };
        let value = fields.value(name)?;
        let Some(table) = value.get_ref().as_table() else {
            self.wrong_type(&fields.section.path_of(name), shape, value);
            return None;
        };
        Some(self.fields(section, table, value.span()))
    }

    /// The tables of a key.
    pub(super) fn tables<'a, 'i>(&mut self, fields: &Fields<'a, 'i>, name: &str) -> Vec<Fields<'a, 'i>> {
        let (path, shape) = (fields.section.path_of(name), &fields.key(name).shape);
        let Shape::Tables(section) = *shape else { unreachable!("[quietus internal bug] {path} is no list of tables") };
        let Some(value) = fields.value(name) else { return Vec::new() };
        let Some(items) = value.get_ref().as_array() else {
            self.wrong_type(&path, shape, value);
            return Vec::new();
        };
        let mut tables = Vec::new();
        for (index, item) in items.iter().enumerate() {
            match item.get_ref().as_table() {
                Some(table) => tables.push(self.fields(section, table, item.span())),
                None => self.wrong_type(&format!("{path}[{index}]"), shape, item),
            }
        }
        tables
    }
}

/// What is wanted, in a word for the caret.
fn short(shape: &Shape) -> &'static str {
    match shape {
        Shape::Text(Form::Choice(_)) => "one of these strings",
        Shape::Text(_) => "a string",
        Shape::Flag => "true or false",
        Shape::Number(..) => "a whole number",
        Shape::List(_) | Shape::Tables(_) => "a list",
        Shape::WordOrTable(..) => "a string or table",
        Shape::Table(_) | Shape::Environment | Shape::Later(_) => "a table",
    }
}
