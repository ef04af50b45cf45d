//! Which process it is that holds something in the database, and whether it is still there.
//!
//! What a dead process holds on this host is free at once; only for one on another host does its time have to
//! run out.

use sha2::{Digest as _, Sha256};

/// The namespace of process numbers that a machine starts with, on every machine (`PROC_PID_INIT_INO` of the kernel).
const OUTERMOST: &str = "pid:[4026531836]";

/// How many characters tell a machine from another one of its name.
const DIGEST_LENGTH: usize = 16;

/// A process that can be told from another one of the same number.
#[derive(Debug, PartialEq, Eq)]
pub struct Process {
    host: String,
    /// What tells the machine from another one of that name, where that is known.
    machine: Option<String>,
    /// The kernel's id of the host's current boot.
    boot: String,
    /// The kernel's name of the namespace that the number counts in: containers may share a host's
    /// name and boot.
    namespace: String,
    pid: u32,
    /// When the process was started, in the kernel's clock ticks since boot (proc_pid_stat(5)).
    start: u64,
}

impl std::fmt::Display for Process {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {} {} {} {}", self.machine(), self.boot, self.namespace, self.pid, self.start)
    }
}

impl Process {
    /// This one.
    #[must_use]
    pub fn this() -> Self {
        let pid = std::process::id();
        let read = |file| std::fs::read_to_string(file).unwrap_or_default().trim().to_owned();
        let namespace = std::fs::read_link("/proc/self/ns/pid")
            .map(|link| link.display().to_string())
            .unwrap_or_default();
        Self {
            host: read("/proc/sys/kernel/hostname"),
            machine: machine(&read("/etc/machine-id"), &namespace),
            boot: read("/proc/sys/kernel/random/boot_id"),
            namespace,
            pid,
            start: start_of(pid).unwrap_or(0),
        }
    }

    /// The process that a text names; none where it names none.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut words = text.split(' ');
        let machine = words.next()?;
        let process = Self {
            host: hostname(machine).to_owned(),
            machine: machine.rsplit_once('/').map(|(_, digest)| digest.to_owned()),
            boot: words.next()?.to_owned(),
            namespace: words.next()?.to_owned(),
            pid: words.next()?.parse().ok()?,
            start: words.next()?.parse().ok()?,
        };
        // What it holds several of may be told apart by one more word.
        let (_which, rest) = (words.next(), words.next());
        rest.is_none().then_some(process)
    }

    /// What the machine is known by in the records: its name, and what tells it from another one of that name.
    #[must_use]
    pub fn machine(&self) -> String {
        match &self.machine {
            Some(digest) => format!("{}/{digest}", self.host),
            None => self.host.clone(),
        }
    }

    /// Whether a process that holds something, as [`Process`] writes itself, cannot be running any more. One on
    /// another host may be.
    #[must_use]
    pub fn is_gone(holder: &str) -> bool {
        Self::parse(holder).is_some_and(|other| other.is_gone_as_seen_by(&Self::this()))
    }

    fn is_gone_as_seen_by(&self, this: &Self) -> bool {
        if self.host != this.host {
            return false;
        }
        if self.boot != this.boot {
            // Of two machines that may only have one name in common, one's boot says nothing about the other's.
            return self.machine.is_some() && self.machine == this.machine;
        }
        self.namespace == this.namespace && self.is_gone_from(look_at(self.pid), is_there(self.pid))
    }

    /// What a process's number tells: what is seen of the process that has it, and whether there is one.
    fn is_gone_from(&self, seen: Seen, is_there: bool) -> bool {
        match seen {
            Seen::Running { start } => start != self.start,
            Seen::Ended => true,
            Seen::Nothing => !is_there,
        }
    }

    /// For people.
    #[must_use]
    pub fn in_words(&self) -> String {
        format!("process {} on {}", self.pid, self.host)
    }
}

/// The name of a machine, as people know it, of what it is known by in the records.
#[must_use]
pub fn hostname(machine: &str) -> &str {
    machine.rsplit_once('/').map_or(machine, |(host, _)| host)
}

/// A digest of the machine's id, which itself is not to be shown (machine-id(5)). None where there is no id, and in a
/// container, whose id may be that of an image which runs on many machines.
fn machine(id: &str, namespace: &str) -> Option<String> {
    let is_one = id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    if !is_one || namespace != OUTERMOST {
        return None;
    }
    let mut digest =
        hex::encode(Sha256::new().chain_update("usher: which machine").chain_update(id).finalize());
    digest.truncate(DIGEST_LENGTH);
    Some(digest)
}

/// Whether there is a process of this number, whosever it is.
fn is_there(pid: u32) -> bool {
    let pid = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw);
    pid.is_some_and(|pid| rustix::process::test_kill_process(pid) != Err(rustix::io::Errno::SRCH))
}

/// What is seen of a process of this host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Seen {
    /// It was started then.
    Running { start: u64 },
    /// It has ended, and whoever started it has not taken note of that: a container's first process may never do so.
    Ended,
    /// There is no such process, or it is hidden: of another user's, /proc may be (hidepid, ProtectProc=).
    Nothing,
}

fn look_at(pid: u32) -> Seen {
    let read = || {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The second field is the program's name in parentheses and may hold anything. After it come the state as the
        // third field, the number of threads as the 20th, and the start time as the 22nd.
        let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
        // As long as it has other threads, these may be writing.
        let has_ended = matches!(*fields.first()?, "Z" | "X") && fields.get(17)?.parse::<u32>().ok()? <= 1;
        let start = fields.get(19)?.parse().ok()?;
        Some(if has_ended { Seen::Ended } else { Seen::Running { start } })
    };
    read().unwrap_or(Seen::Nothing)
}

/// When a living process of this host was started; none where it is hidden.
fn start_of(pid: u32) -> Option<u64> {
    match look_at(pid) {
        Seen::Running { start } => Some(start),
        Seen::Ended | Seen::Nothing => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_living_process_is_not_gone_and_a_dead_one_is() {
        let this = Process::this();
        assert_eq!(Process::parse(&this.to_string()), Some(Process::this()));
        assert_eq!(Process::parse(&format!("{this} which")), Some(Process::this()));
        assert_eq!(Process::parse(&format!("{this} one too many")), None);
        assert!(!Process::is_gone(&this.to_string()));
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let start = start_of(child.id()).unwrap();
        let other = Process { pid: child.id(), start, ..Process::this() };
        assert!(!Process::is_gone(&other.to_string()));
        child.kill().unwrap();
        // Nobody has waited for it yet.
        let patience = std::time::Instant::now() + std::time::Duration::from_secs(30);
        while !Process::is_gone(&other.to_string()) {
            assert!(
                std::time::Instant::now() < patience,
                "it is taken for a living one: {:?}",
                look_at(other.pid)
            );
            std::thread::yield_now();
        }
        assert_eq!(look_at(other.pid), Seen::Ended);
        child.wait().unwrap();
        assert!(Process::is_gone(&other.to_string()));
        let hidden = Process { start: 7, ..Process::this() };
        assert!(!hidden.is_gone_from(Seen::Nothing, is_there(hidden.pid)), "it is only hidden");
        assert!(hidden.is_gone_from(Seen::Nothing, is_there(other.pid)), "it is not there");
        assert!(hidden.is_gone_from(Seen::Running { start: 8 }, true), "another one has its number");
        let elsewhere = Process { host: "elsewhere".to_owned(), pid: other.pid, ..Process::this() };
        assert!(!Process::is_gone(&elsewhere.to_string()));
    }
    #[test]
    fn another_boot_ends_a_process_of_the_same_machine_and_none_of_another_one_of_its_name() {
        let of = |machine: Option<&str>, boot: &str| Process {
            machine: machine.map(str::to_owned),
            boot: boot.to_owned(),
            ..Process::this()
        };
        let (this, nameless) = (of(Some("a"), "now"), of(None, "now"));
        let is_gone =
            |other: &Process, this| Process::parse(&other.to_string()).unwrap().is_gone_as_seen_by(this);
        assert!(is_gone(&of(Some("a"), "before"), &this));
        assert!(!is_gone(&of(Some("b"), "before"), &this), "another machine of that name");
        assert!(!is_gone(&of(None, "before"), &this), "an earlier version wrote only the name");
        assert!(!is_gone(&of(None, "before"), &nameless), "two containers may be on two machines");
        assert!(!is_gone(&of(Some("a"), "before"), &nameless));
    }

    #[test]
    fn a_machine_is_known_by_its_name_and_what_its_id_does_not_show_in() {
        let id = "3d1219c7c4c5404aaa1f6d2a48adfda4";
        let digest = machine(id, OUTERMOST).unwrap();
        assert!(digest.len() == DIGEST_LENGTH && !id.contains(&digest));
        assert_ne!(machine("00000000000000000000000000000001", OUTERMOST).as_ref(), Some(&digest));
        for none in ["", "uninitialized"] {
            assert_eq!(machine(none, OUTERMOST), None);
        }
        assert_eq!(machine(id, "pid:[4026532198]"), None, "an image's id is that of many containers");
        let this = Process { host: "node-1".to_owned(), machine: Some(digest), pid: 7, ..Process::this() };
        assert_eq!(hostname(&this.machine()), "node-1");
        assert_eq!(Process::parse(&this.to_string()).unwrap().in_words(), "process 7 on node-1");
        let earlier = Process { machine: None, ..this };
        assert_eq!(earlier.machine(), "node-1");
        assert_eq!(Process::parse(&earlier.to_string()), Some(earlier));
    }
}
