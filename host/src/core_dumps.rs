//! No core dumps: the memory of this program holds keys, PINs and passwords in clear, and a dump would write them to disk
//! for whoever reads that.

use rustix::io;
use rustix::process::{DumpableBehavior, Resource, Rlimit, getrlimit, set_dumpable_behavior, setrlimit};

/// Sees to it that the system writes none, however this process ends. What it starts may write its own: such programs
/// begin anew, except for the limit.
///
/// A limit of nothing is what tools show, and what children have too. It does not hold where the system hands dumps to
/// a program, which a process that must not be dumped keeps from it. For that, nobody but root may trace such a process.
///
/// # Errors
/// Where the system does not let the process do so.
pub fn forbid() -> io::Result<()> {
    set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    // Under our units the limit is set already, and setting limits is forbidden.
    if getrlimit(Resource::Core) == none { Ok(()) } else { setrlimit(Resource::Core, none) }
}

#[cfg(test)]
mod tests {
    use rustix::process::dumpable_behavior;

    use super::*;

    #[test]
    fn this_process_is_not_dumped() {
        set_dumpable_behavior(DumpableBehavior::Dumpable).unwrap();
        forbid().unwrap();
        assert_eq!(dumpable_behavior().unwrap(), DumpableBehavior::NotDumpable);
        let Rlimit { current, maximum } = getrlimit(Resource::Core);
        assert_eq!((current, maximum), (Some(0), Some(0)));
        // As it was for the other tests.
        set_dumpable_behavior(DumpableBehavior::Dumpable).unwrap();
    }

    /// Under them the call that sets limits may be refused.
    #[test]
    fn the_units_of_systemd_allow_none_either() {
        for unit in [include_str!("../packaging/usher.service"), include_str!("../packaging/usher@.service")]
        {
            assert!(unit.lines().any(|line| line == "LimitCORE=0"), "{unit}");
        }
    }
}
