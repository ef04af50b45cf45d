//! Places where a test may kill the program, to see that the next run makes good what this one left.
//!
//! With the feature `fail-points`, which release builds refuse, the variable `USHER_KILL_AT` holds `NAME#N`:
//! the process dies of SIGKILL as it reaches the place of that name for the N-th time. `USHER_HOLD_AT`, which is alike, holds
//! it there for as long as the file is there that `USHER_HOLD_WHILE` names. `USHER_PLACES` names a file to which every
//! place that is reached is appended, one line each. Without the feature there is nothing here.

#[cfg(all(feature = "fail-points", not(debug_assertions)))]
compile_error!("fail-points lets the environment kill the program, and is for tests only");

/// The program is at the place of this name.
#[cfg(not(feature = "fail-points"))]
pub fn reached(_name: impl FnOnce() -> String) {}

/// The program is at the place of this name.
#[cfg(feature = "fail-points")]
pub fn reached(name: impl FnOnce() -> String) {
    places::reached(&name());
}

#[cfg(feature = "fail-points")]
mod places {
    use std::collections::HashMap;
    use std::io::Write as _;
    use std::sync::{LazyLock, Mutex, PoisonError};

    /// A place: a name, and the how manieth time it is reached.
    type Place = Option<(String, u32)>;

    /// Where to die.
    static KILL_AT: LazyLock<Place> = LazyLock::new(|| place("USHER_KILL_AT"));

    /// Where to wait.
    static HOLD_AT: LazyLock<Place> = LazyLock::new(|| place("USHER_HOLD_AT"));

    fn place(variable: &str) -> Place {
        let wanted = std::env::var(variable).ok()?;
        let (name, time) = wanted.rsplit_once('#').expect("a place is NAME#N");
        Some((name.to_owned(), time.parse().expect("a place is NAME#N")))
    }

    /// How often each place was reached.
    static REACHED: LazyLock<Mutex<HashMap<String, u32>>> = LazyLock::new(Mutex::default);

    pub(super) fn reached(name: &str) {
        let time = count(name);
        let is_it = |place: &Place| place.as_ref().is_some_and(|(wanted, at)| wanted == name && *at == time);
        if is_it(&KILL_AT) {
            let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
            // The signal is on its way to this process.
            std::thread::park();
        }
        if is_it(&HOLD_AT) {
            let file =
                std::env::var_os("USHER_HOLD_WHILE").expect("USHER_HOLD_WHILE goes with USHER_HOLD_AT");
            while std::path::Path::new(&file).exists() {
                std::thread::sleep(std::time::Duration::from_millis(10));
            }
        }
    }

    /// The how manieth time it is that the place is reached, which is written down.
    fn count(name: &str) -> u32 {
        let mut reached = REACHED.lock().unwrap_or_else(PoisonError::into_inner);
        let time = reached.entry(name.to_owned()).or_default();
        *time += 1;
        if let Ok(file) = std::env::var("USHER_PLACES") {
            let mut file = std::fs::OpenOptions::new()
                .create(true)
                .append(true)
                .open(file)
                .expect("the file of USHER_PLACES can be written");
            writeln!(file, "{name}#{time}").expect("the file of USHER_PLACES can be written");
        }
        *time
    }
}
