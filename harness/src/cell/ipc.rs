//! A census of the System V and POSIX IPC objects of a cell.

use crate::model::{IpcKind, IpcObject};
use rustix::fd::AsFd;

/// Reads a table of `/proc/sysvipc` (sysvipc(7)): columns by the names in its first line.
fn parse_table(text: &str, kind: IpcKind) -> Vec<IpcObject> {
    let mut lines = text.lines();
    let names: Vec<&str> = lines.next().unwrap_or_default().split_ascii_whitespace().collect();
    let size_name = match kind {
        IpcKind::SharedMemory => "size",
        IpcKind::Semaphore => "nsems",
        _ => "qnum",
    };
    lines
        .filter_map(|line| {
            let fields: Vec<&str> = line.split_ascii_whitespace().collect();
            let field =
                |name: &str| names.iter().position(|known| *known == name).and_then(|index| fields.get(index)).copied();
            let key: i32 = field("key")?.parse().ok()?;
            Some(IpcObject {
                kind,
                key: if key == 0 { "private".to_owned() } else { format!("0x{key:08x}") },
                size: field(size_name)?.parse().ok()?,
                creator: field("cpid").and_then(|pid| pid.parse().ok()),
            })
        })
        .collect()
}

/// Reads a table that the cell's init has opened, from its start.
pub(crate) fn read_table(file: impl AsFd, kind: IpcKind) -> Vec<IpcObject> {
    let mut bytes = Vec::new();
    let mut chunk = [0u8; 16 * 1024];
    while let Ok(count) = rustix::io::pread(&file, &mut chunk, bytes.len() as u64) {
        if count == 0 || bytes.len() > 4 << 20 {
            break;
        }
        bytes.extend_from_slice(chunk.get(..count).unwrap_or_default());
    }
    parse_table(&String::from_utf8_lossy(&bytes), kind)
}

/// The POSIX message queues of the mount that the cell's init has opened.
pub(crate) fn read_queues(directory: impl AsFd) -> Vec<IpcObject> {
    let Ok(mut entries) = rustix::fs::Dir::read_from(&directory) else { return Vec::new() };
    let mut found = Vec::new();
    while let Some(Ok(entry)) = entries.read() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if name != "." && name != ".." {
            found.push(IpcObject { kind: IpcKind::PosixQueue, key: format!("/{name}"), size: 0, creator: None });
        }
    }
    found.sort();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_found_by_name() {
        let text = "       key      shmid perms                  size  cpid  lpid nattch\n         0          3   600               1048576    12    12      0\n305419896 4 600 4096 13 13 0\n";
        let objects = parse_table(text, IpcKind::SharedMemory);
        assert_eq!(
            objects.iter().map(|o| (o.key.as_str(), o.size, o.creator)).collect::<Vec<_>>(),
            [("private", 1_048_576, Some(12)), ("0x12345678", 4096, Some(13))]
        );
        assert!(parse_table("", IpcKind::Semaphore).is_empty());
    }
}
