//! Which process it is that holds something in the database, and whether it is still there.
//!
//! What a dead process holds on this host is free at once; only for one on another host does its time have to
//! run out.

/// A process that can be told from another one of the same number.
#[derive(Debug, PartialEq, Eq)]
pub struct Process {
    host: String,
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
        write!(f, "{} {} {} {} {}", self.host, self.boot, self.namespace, self.pid, self.start)
    }
}

impl Process {
    /// This one.
    #[must_use]
    pub fn this() -> Self {
        let pid = std::process::id();
        let read = |file| std::fs::read_to_string(file).unwrap_or_default().trim().to_owned();
        Self {
            host: read("/proc/sys/kernel/hostname"),
            boot: read("/proc/sys/kernel/random/boot_id"),
            namespace: std::fs::read_link("/proc/self/ns/pid")
                .map(|link| link.display().to_string())
                .unwrap_or_default(),
            pid,
            start: start_of(pid).unwrap_or(0),
        }
    }

    /// The process that a text names; none where it names none.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut words = text.split(' ');
        let process = Self {
            host: words.next()?.to_owned(),
            boot: words.next()?.to_owned(),
            namespace: words.next()?.to_owned(),
            pid: words.next()?.parse().ok()?,
            start: words.next()?.parse().ok()?,
        };
        // What it holds several of may be told apart by one more word.
        let (_which, rest) = (words.next(), words.next());
        rest.is_none().then_some(process)
    }

    /// The name of the machine.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Whether a process that holds something, as [`Process`] writes itself, cannot be running any more. One on
    /// another host may be.
    #[must_use]
    pub fn is_gone(holder: &str) -> bool {
        let (Some(other), this) = (Self::parse(holder), Self::this()) else { return false };
        if other.host != this.host {
            return false;
        }
        if other.boot != this.boot {
            return true;
        }
        other.namespace == this.namespace && other.is_gone_from(start_of(other.pid), is_there(other.pid))
    }

    /// What a process's number tells: when the process that has it was started, where that may be seen, and whether there is one.
    fn is_gone_from(&self, start: Option<u64>, is_there: bool) -> bool {
        match start {
            Some(start) => start != self.start,
            // Of another user's process, /proc may be hidden (hidepid, ProtectProc=).
            None => !is_there,
        }
    }

    /// For people.
    #[must_use]
    pub fn in_words(&self) -> String {
        format!("process {} on {}", self.pid, self.host)
    }
}

/// Whether there is a process of this number, whosever it is.
fn is_there(pid: u32) -> bool {
    let pid = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw);
    pid.is_some_and(|pid| rustix::process::test_kill_process(pid) != Err(rustix::io::Errno::SRCH))
}

/// When a process of this host was started; none where there is no such process, or it is hidden.
fn start_of(pid: u32) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The second field is the program's name in parentheses and may hold anything; the start time
    // is the 22nd field.
    let after_name = stat.rsplit_once(')')?.1;
    after_name.split_whitespace().nth(19)?.parse().ok()
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
        child.wait().unwrap();
        assert!(Process::is_gone(&other.to_string()));
        let hidden = Process { start: 7, ..Process::this() };
        assert!(!hidden.is_gone_from(None, is_there(hidden.pid)), "it is only hidden");
        assert!(hidden.is_gone_from(None, is_there(other.pid)), "it is not there");
        assert!(hidden.is_gone_from(Some(8), true), "another one has its number");
        let rebooted = Process { boot: "before".to_owned(), ..Process::this() };
        assert!(Process::is_gone(&rebooted.to_string()));
        let elsewhere = Process { host: "elsewhere".to_owned(), pid: other.pid, ..Process::this() };
        assert!(!Process::is_gone(&elsewhere.to_string()));
    }
}
