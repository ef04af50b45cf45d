//! As many files as the connections need: most systems let a program open only 1,024 unless it asks for more.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Files besides the connections: the database's, the log, calls to services, components that are read.
const OTHER_FILES: u64 = 128;

/// Asks the system for so many connections, and says for how many there is room.
pub(super) fn make_room(connections: u32) -> u32 {
    let needed = u64::from(connections) + OTHER_FILES;
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let allowed = match (current, maximum) {
        (None, _) => return connections,
        (Some(current), _) if current >= needed => return connections,
        (Some(current), maximum) => {
            let raised = maximum.map_or(needed, |maximum| maximum.min(needed));
            match setrlimit(Resource::Nofile, Rlimit { current: Some(raised), maximum }) {
                Ok(()) => raised,
                Err(_) => current,
            }
        }
    };
    let room = room(connections, allowed);
    if room < connections {
        tracing::warn!(
            connections,
            room,
            "setpass.max_connections is more than the open files that the system allows leave room for; \
             raise the limit (LimitNOFILE= with systemd, ulimit -n in a shell)"
        );
    }
    room
}

/// For how many connections so many files are enough. A few are let in whatever else there is.
fn room(connections: u32, files: u64) -> u32 {
    let room = u32::try_from(files.saturating_sub(OTHER_FILES)).unwrap_or(u32::MAX);
    connections.min(room.max(8))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_room_for_what_the_other_files_leave() {
        for (connections, files, expected) in
            [(2048, 4096, 2048), (2048, 1024, 896), (2048, 64, 8), (4, 64, 4)]
        {
            assert_eq!(room(connections, files), expected, "{connections} connections, {files} files");
        }
    }
}
