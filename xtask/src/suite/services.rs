//! What the end-to-end tests need besides the program, made ready while that is compiled: it waits for the network and
//! for one core more than for two.

use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow};
use usher_tests::cloud::Cloud;
use usher_tests::{mailman, schemathesis, workspace};

use crate::part::Parts;

/// Services that are being made ready. Whoever drops this waits for that, so that nothing is left running.
pub struct Services {
    thread: Option<JoinHandle<Ready>>,
}

/// What became of it.
struct Ready {
    cloud: Result<Cloud>,
    others: Vec<(&'static str, Duration, Result<()>)>,
    cloud_took: Duration,
}

/// A way to install something.
type Install = fn() -> Result<()>;

/// What has packages of its own.
const OTHERS: [(&str, Install); 2] =
    [("packages: Mailman", mailman::install), ("packages: Schemathesis", schemathesis::install)];

impl Services {
    /// Begins.
    #[must_use]
    pub fn begin() -> Self {
        Self { thread: Some(thread::spawn(make_ready)) }
    }

    /// Waits until all is ready, and enters how that went. Where the cloud did not come up there is none.
    pub fn wait(mut self, parts: &mut Parts) -> Option<Cloud> {
        let ready = self.thread.take()?.join();
        let ready = ready.map_err(|_| anyhow!("the thread that starts the services panicked"));
        let Ready { cloud, others, cloud_took } = parts.run("services", || ready)?;
        let cloud = parts.enter("cloud: Keystone, Nova, Neutron, Cinder", cloud_took, cloud);
        for (name, took, result) in others {
            parts.enter(name, took, result);
        }
        cloud
    }
}

impl Drop for Services {
    fn drop(&mut self) {
        if let Some(thread) = self.thread.take() {
            // What became of it is of no interest any more, except that a cloud that is up is stopped here.
            drop(thread.join());
        }
    }
}

fn make_ready() -> Ready {
    let start = Instant::now();
    let cloud = Cloud::fresh(&workspace::target().join("test/cloud")).context("there is no cloud");
    let cloud_took = start.elapsed();
    // After the cloud, whose packages bring a quicker installer. Where one of these is missing, only its own tests fail.
    let others = OTHERS.map(|(name, install)| {
        let start = Instant::now();
        let result = install();
        (name, start.elapsed(), result)
    });
    Ready { cloud, others: others.into(), cloud_took }
}
