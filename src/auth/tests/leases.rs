//! Under which conditions a token may be read from its seqlock without the exact clocks, and which handle uses the
//! seqlock.

use super::*;
use crate::cache::Copied;

/// The bench, with a handle that also publishes its token in a seqlock.
fn bench_with_a_seqlock(script: Vec<Answer>) -> Bench {
    let Bench { clock, gate, .. } = bench(script);
    let place = Some(Place { seqlock: Box::leak(Box::default()), handle: 7 });
    let parts = Parts { place, ..parts(clock.clone(), Line(gate.clone(), clock.clone()), Inline) };
    Bench { auth: Auth::with_parts(settings(&[BOT[0], BOT[1], ("max_attempts", "1")]), parts), gate, clock }
}

fn read(place: &Place, clock: &dyn Clock) -> Copied {
    place.seqlock.read(place.handle, clock.tick_ms(), |_, length| Some(length))
}

/// The generation in the seqlock, if there is a lease.
fn leased_generation(bench: &Bench) -> Option<u64> {
    let place = bench.auth.cache.place().unwrap();
    place.seqlock.generation(place.handle, bench.clock.tick_ms())
}

fn leased(bench: &Bench) -> bool {
    matches!(read(bench.auth.cache.place().unwrap(), &bench.clock), Copied::Whole(_))
}

#[test]
fn a_lease_is_granted_if_the_token_s_state_stays_the_same_for_a_second_and_ends_at_a_change() {
    let bench = bench_with_a_seqlock(vec![token(1000, None), token(1000, None)]);
    assert!(!leased(&bench), "there is no token");
    bench.token().unwrap();
    assert_eq!((leased(&bench), bench.token(), leased(&bench)), (false, Ok(1), true));
    assert_eq!(leased_generation(&bench), Some(1));
    bench.pass(1);
    assert!(!leased(&bench) && leased_generation(&bench).is_none(), "the lease is over");
    assert_eq!((bench.auth.generation(), leased_generation(&bench), leased(&bench)), (1, Some(1), true));
    bench.pass(1);
    let due_in = |bench: &Bench| Duration::from_millis(bench.auth.info().refresh_in_ms.try_into().unwrap());
    bench.clock.sleep(due_in(&bench) - Duration::from_millis(1500));
    assert_eq!((bench.token(), leased(&bench)), (Ok(1), true));
    bench.clock.sleep(Duration::from_millis(1000));
    assert_eq!((bench.token(), leased(&bench)), (Ok(1), false), "the token is due in half a second");
    bench.gate_will(status(500, ""));
    bench.clock.sleep(Duration::from_millis(501));
    assert_eq!((bench.token(), bench.auth.info().state), (Ok(1), Some(State::Due)));
    assert_eq!((bench.token(), leased(&bench)), (Ok(1), true), "a due token may be read during its refresh");
    assert_eq!(
        (leased_generation(&bench), bench.auth.generation()),
        (None, 0),
        "but it needs a refresh, so it has no generation"
    );
    bench.auth.set_credentials(None, "another").unwrap();
    assert!(leased(&bench), "the token belongs to the same user");
    let text = bench.auth.cache.lend().as_ref().unwrap().jwt().text().to_owned();
    bench.auth.invalidate("another");
    assert!(leased(&bench));
    bench.auth.invalidate(&text);
    assert!(!leased(&bench), "the token was rejected");
    bench.gate_will(token(1000, None));
    assert_eq!((bench.token(), leased(&bench), bench.token(), leased(&bench)), (Ok(2), false, Ok(2), true));
    bench.gate_will(status(500, ""));
    let left = Duration::from_millis(bench.auth.info().expires_in_ms.try_into().unwrap());
    bench.clock.sleep(left - Duration::from_millis(500));
    assert_eq!((bench.token(), leased(&bench)), (Ok(2), false), "the token expires in half a second");
    bench.auth.set_credentials(Some("other"), "word").unwrap();
    assert!(!leased(&bench));
}

#[test]
fn the_seqlock_of_a_closed_handle_is_available_to_the_next() {
    let bench = bench_with_a_seqlock(vec![token(1000, None)]);
    bench.token().unwrap();
    bench.token().unwrap();
    let place = *bench.auth.cache.place().unwrap();
    bench.auth.close();
    let next = Cache::new(Some(Place { handle: place.handle + 1, ..place }));
    next.publish(bench.auth.cache.lend().clone());
    assert_eq!(bench.token(), Ok(1), "a call that has not returned yet gets the token of the closed handle");
    bench.auth.set_credentials(Some("other"), "word").ok();
    let now = bench.clock.now();
    let lease = next.lease(&bench.clock);
    lease.grant(next.lend().as_ref().unwrap(), now);
    assert!(
        matches!(read(next.place().unwrap(), &bench.clock), Copied::Whole(_)),
        "the first handle has not changed the seqlock"
    );
    assert_eq!(read(&place, &bench.clock), Copied::Nothing);
}
