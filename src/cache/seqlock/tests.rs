//! Under which conditions a seqlock may be read, and that no read mixes two tokens.

use std::cell::RefCell;
use std::sync::atomic::AtomicBool;

use super::*;

const OURS: usize = 4096;

fn seqlock(text: &str) -> &'static Seqlock {
    let seqlock: &'static Seqlock = Box::leak(Box::default());
    seqlock.write(OURS, Some((1, text)), || {});
    seqlock
}

fn lease(seqlock: &Seqlock, tick_ms: u64) {
    seqlock.grant(seqlock.see(OURS).unwrap(), tick_ms, true);
}

fn text(words: &Words, length: usize) -> String {
    let bytes = words.iter().flat_map(|word| word.load(Ordering::Relaxed).to_ne_bytes()).take(length).collect();
    String::from_utf8(bytes).unwrap()
}

fn read(seqlock: &Seqlock, handle: usize, tick_ms: u64) -> Option<String> {
    let found = RefCell::new(None);
    let copied = seqlock.read(handle, tick_ms, |words, length| {
        *found.borrow_mut() = Some(text(words, length));
        Some(length)
    });
    let found = found.take();
    match copied {
        Copied::Whole(length) => Some(found.unwrap()).filter(|text| text.len() == length),
        Copied::Torn(_) => panic!("no thread writes"),
        Copied::Nothing => {
            assert_eq!(found, None);
            None
        }
    }
}

#[test]
fn a_text_is_read_only_under_a_lease_and_only_by_its_handle() {
    let seqlock = seqlock("a token");
    assert_eq!(read(seqlock, OURS, 0), None);
    lease(seqlock, 1000);
    for tick in [1000, 1000 + LEASE_MS - 1] {
        assert_eq!(read(seqlock, OURS, tick).as_deref(), Some("a token"));
    }
    assert_eq!(read(seqlock, OURS, 1000 + LEASE_MS), None);
    assert_eq!(read(seqlock, OURS + 1, 1000), None);
    assert!(seqlock.see(OURS + 1).is_none());
}

#[test]
fn a_generation_is_read_under_the_same_lease_if_no_refresh_is_due() {
    let seqlock = seqlock("a token");
    assert_eq!(seqlock.generation(OURS, 0), None);
    lease(seqlock, 1000);
    let at = |tick| seqlock.generation(OURS, tick);
    assert_eq!((at(1000), at(1000 + LEASE_MS - 1), at(1000 + LEASE_MS)), (Some(1), Some(1), None));
    assert_eq!(seqlock.generation(OURS + 1, 1000), None);
    seqlock.grant(seqlock.see(OURS).unwrap(), 1010, false);
    assert_eq!((read(seqlock, OURS, 1010).as_deref(), at(1010)), (Some("a token"), None));
    lease(seqlock, 1020);
    seqlock.write(OURS, Some((2, "the next")), || assert_eq!(at(1020), None));
    assert_eq!(at(1020), None);
    lease(seqlock, 1020);
    assert_eq!(at(1020), Some(2));
    seqlock.revoke();
    assert_eq!(at(1020), None);
}

#[test]
fn a_lease_ends_when_its_token_changes() {
    let ends: [fn(&Seqlock); 4] = [
        |seqlock| seqlock.revoke(),
        |seqlock| seqlock.write(OURS, Some((1, "another")), || {}),
        |seqlock| seqlock.write(OURS, None, || {}),
        |seqlock| seqlock.write(0, None, || {}),
    ];
    for end in ends {
        let seqlock = seqlock("a token");
        let early = seqlock.see(OURS).unwrap();
        lease(seqlock, 1000);
        let seen = seqlock.see(OURS).unwrap();
        end(seqlock);
        seqlock.grant(early, 1000, true);
        seqlock.grant(seen, 1000, true);
        assert_eq!(read(seqlock, OURS, 1000), None);
    }
}

#[test]
fn a_read_during_a_write_is_not_valid() {
    let seqlock = seqlock("a token");
    let writes: [fn(&Seqlock); 2] = [
        |seqlock| seqlock.revoke(),
        |seqlock| seqlock.write(OURS, Some((1, "another token, and a longer one")), || {}),
    ];
    for write in writes {
        lease(seqlock, 1000);
        let copied = seqlock.read(OURS, 1000, |_, _| {
            write(seqlock);
            Some(5)
        });
        assert_eq!(copied, Copied::Torn(5));
    }
    lease(seqlock, 1000);
    let copied = seqlock.read(OURS, 1000, |_, length| {
        seqlock.grant(seqlock.see(OURS).unwrap(), 1030, true);
        Some(length)
    });
    assert_eq!(copied, Copied::Whole(31), "a longer lease does not change the token");
    assert_eq!(seqlock.read(OURS, 1000, |_, _| None), Copied::Nothing);
}

#[test]
fn nothing_is_read_or_leased_during_a_write_and_the_next_write_repairs_an_interrupted_one() {
    let seqlock = seqlock("a token");
    lease(seqlock, 1000);
    seqlock.write(OURS, Some((1, "another")), || {
        assert_eq!(read(seqlock, OURS, 1000), None);
        lease(seqlock, 1000);
        assert_eq!(read(seqlock, OURS, 1000), None);
    });
    seqlock.begin();
    seqlock.write(OURS, Some((1, "the next")), || {});
    lease(seqlock, 1000);
    assert_eq!(read(seqlock, OURS, 1000).as_deref(), Some("the next"));
}

#[test]
fn a_replaced_token_is_wiped() {
    let seqlock = seqlock(&"long".repeat(200));
    let first = seqlock.block().unwrap();
    seqlock.write(OURS, Some((1, "short")), || {});
    assert_eq!(text(&first.0, 1024), "short".to_owned() + &"\0".repeat(1019));
    seqlock.write(OURS, Some((1, &"longer".repeat(200))), || {});
    let second = seqlock.block().unwrap();
    assert_eq!((first.0.len(), second.0.len()), (1024 / 8, 2048 / 8));
    seqlock.write(0, None, || {});
    for block in [first, second] {
        assert!(block.0.iter().all(|word| word.load(Ordering::Relaxed) == 0) || in_use_again(block));
    }
}

/// Whether a concurrent test uses the block now.
fn in_use_again(block: &'static Block) -> bool {
    !lock(&IDLE.get()).iter().any(|idle| std::ptr::eq(*idle, block))
}

#[test]
fn a_released_block_is_used_again() {
    // No other test uses a block of this size.
    let text = "x".repeat(5000);
    let (first, second) = (seqlock(&text), seqlock(&text));
    let block = first.block().unwrap();
    assert!(!std::ptr::eq(block, second.block().unwrap()));
    first.write(0, None, || {});
    assert!(std::ptr::eq(block, seqlock(&text).block().unwrap()));
}

#[test]
fn readers_on_other_threads_never_see_a_mix_of_two_tokens() {
    let seqlock = seqlock(&"a".repeat(900));
    let (stop, whole) = (AtomicBool::new(false), AtomicU64::new(0));
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    let mut copy = String::new();
                    let copied = seqlock.read(OURS, 1000, |words, length| {
                        copy = text(words, length);
                        Some(length)
                    });
                    if copied == Copied::Whole(900) {
                        assert!(copy.bytes().all(|byte| byte == copy.as_bytes()[0]), "{copy}");
                        whole.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
        }
        for letter in ["b", "c"].iter().cycle().take(2_000_000) {
            seqlock.write(OURS, Some((1, &letter.repeat(900))), || {});
            lease(seqlock, 1000);
            if whole.load(Ordering::Relaxed) > 2_000 {
                break;
            }
        }
        stop.store(true, Ordering::Relaxed);
    });
    assert!(whole.into_inner() > 0, "no text was read");
}
