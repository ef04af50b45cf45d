//! Servers that show that they run jobs, stop, and die.

use jiff::SignedDuration;

use super::fixture::{Site, until};
use crate::leases::LASTS;
use crate::schedule::RENEWAL;
use crate::schedule::presence::{Server, servers};
use crate::stop::Stop;

#[tokio::test]
async fn a_server_is_seen_while_it_runs_and_where_it_died_that_is_seen_too() {
    let site = Site::new("2027-03-05T12:00:00Z", "UTC");
    let host = site.host("a", Vec::new()).await;
    let seen = async |is_gone: fn(&str) -> bool| servers(&host.database, &site.clock, is_gone).await.unwrap();
    let nobody: fn(&str) -> bool = |_| false;
    assert_eq!(seen(nobody).await, []);
    let stop = Stop::default();
    let begun = site.clock.now();
    let here = Server { process: "a".to_owned(), since: begun, silent_since: None };
    let watching = async {
        until("the server", async || !seen(nobody).await.is_empty()).await;
        assert_eq!(seen(nobody).await, std::slice::from_ref(&here));
        // It goes on showing that, for longer than a lease lasts.
        for _ in 0..10 {
            until("the server sleeps", async || site.clock.sleepers() == 1).await;
            site.clock.advance(SignedDuration::try_from(RENEWAL).unwrap());
            let lasts = site.clock.now() + LASTS;
            until("the server renews", async || host.database.leases().await.unwrap()[0].1.ends == lasts)
                .await;
        }
        assert_eq!(seen(nobody).await, std::slice::from_ref(&here));
        stop.ask();
    };
    tokio::join!(host.show_presence(&stop), watching);
    assert_eq!(seen(nobody).await, []);

    let (stop, begun) = (Stop::default(), site.clock.now());
    tokio::select! {
        () = host.show_presence(&stop) => panic!("it is not asked to stop"),
        // Then it dies.
        () = until("the server again", async || !seen(nobody).await.is_empty()) => {}
    }
    site.clock.advance(SignedDuration::from_mins(3));
    let silent = Server { since: begun, silent_since: Some(begun), ..here };
    assert_eq!(seen(nobody).await, [silent]);
    assert_eq!(seen(|holder| holder == "a").await, [], "on its own host it is known to be dead");
}
