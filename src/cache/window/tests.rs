//! What may be read in a window, and when; and that no read is ever a piece of one token and a piece of another.

use std::cell::RefCell;
use std::sync::atomic::AtomicBool;

use super::*;

const OURS: usize = 4096;

fn window(text: &str) -> &'static Window {
    let window: &'static Window = Box::leak(Box::default());
    window.write(OURS, Some((1, text)), || {});
    window
}

fn lease(window: &Window, tick_ms: u64) {
    window.grant(window.see(OURS).unwrap(), tick_ms, true);
}

fn text(words: &Words, length: usize) -> String {
    let bytes = words.iter().flat_map(|word| word.load(Ordering::Relaxed).to_ne_bytes()).take(length).collect();
    String::from_utf8(bytes).unwrap()
}

fn read(window: &Window, handle: usize, tick_ms: u64) -> Option<String> {
    let found = RefCell::new(None);
    let copied = window.read(handle, tick_ms, |words, length| {
        *found.borrow_mut() = Some(text(words, length));
        Some(length)
    });
    let found = found.take();
    match copied {
        Copied::Whole(length) => Some(found.unwrap()).filter(|text| text.len() == length),
        Copied::Torn(_) => panic!("nobody writes"),
        Copied::Nothing => {
            assert_eq!(found, None);
            None
        }
    }
}

#[test]
fn a_text_is_read_under_a_lease_only_and_only_by_its_handle() {
    let window = window("a token");
    assert_eq!(read(window, OURS, 0), None);
    lease(window, 1000);
    for tick in [1000, 1000 + LEASE_MS - 1] {
        assert_eq!(read(window, OURS, tick).as_deref(), Some("a token"));
    }
    assert_eq!(read(window, OURS, 1000 + LEASE_MS), None);
    assert_eq!(read(window, OURS + 1, 1000), None);
    assert!(window.see(OURS + 1).is_none());
}

#[test]
fn a_generation_is_told_under_the_same_lease_where_it_says_that_the_token_needs_no_refresh() {
    let window = window("a token");
    assert_eq!(window.generation(OURS, 0), None);
    lease(window, 1000);
    let at = |tick| window.generation(OURS, tick);
    assert_eq!((at(1000), at(1000 + LEASE_MS - 1), at(1000 + LEASE_MS)), (Some(1), Some(1), None));
    assert_eq!(window.generation(OURS + 1, 1000), None);
    window.grant(window.see(OURS).unwrap(), 1010, false);
    assert_eq!((read(window, OURS, 1010).as_deref(), at(1010)), (Some("a token"), None));
    lease(window, 1020);
    window.write(OURS, Some((2, "the next")), || assert_eq!(at(1020), None));
    assert_eq!(at(1020), None);
    lease(window, 1020);
    assert_eq!(at(1020), Some(2));
    window.revoke();
    assert_eq!(at(1020), None);
}

#[test]
fn a_lease_ends_with_what_it_was_granted_for() {
    let ends: [fn(&Window); 4] = [
        |window| window.revoke(),
        |window| window.write(OURS, Some((1, "another")), || {}),
        |window| window.write(OURS, None, || {}),
        |window| window.write(0, None, || {}),
    ];
    for end in ends {
        let window = window("a token");
        let early = window.see(OURS).unwrap();
        lease(window, 1000);
        let seen = window.see(OURS).unwrap();
        end(window);
        window.grant(early, 1000, true);
        window.grant(seen, 1000, true);
        assert_eq!(read(window, OURS, 1000), None);
    }
}

#[test]
fn a_read_that_meets_a_write_does_not_count() {
    let window = window("a token");
    let writes: [fn(&Window); 2] =
        [|window| window.revoke(), |window| window.write(OURS, Some((1, "another token, and a longer one")), || {})];
    for write in writes {
        lease(window, 1000);
        let copied = window.read(OURS, 1000, |_, _| {
            write(window);
            Some(5)
        });
        assert_eq!(copied, Copied::Torn(5));
    }
    lease(window, 1000);
    let copied = window.read(OURS, 1000, |_, length| {
        window.grant(window.see(OURS).unwrap(), 1030, true);
        Some(length)
    });
    assert_eq!(copied, Copied::Whole(31), "a longer lease is no other token");
    assert_eq!(window.read(OURS, 1000, |_, _| None), Copied::Nothing);
}

#[test]
fn nothing_is_read_or_leased_in_mid_write_and_a_write_that_a_fork_cut_off_is_mended_by_the_next() {
    let window = window("a token");
    lease(window, 1000);
    window.write(OURS, Some((1, "another")), || {
        assert_eq!(read(window, OURS, 1000), None);
        lease(window, 1000);
        assert_eq!(read(window, OURS, 1000), None);
    });
    window.begin();
    window.write(OURS, Some((1, "the next")), || {});
    lease(window, 1000);
    assert_eq!(read(window, OURS, 1000).as_deref(), Some("the next"));
}

#[test]
fn a_token_leaves_nothing_behind() {
    let window = window(&"long".repeat(200));
    let first = window.block.load().unwrap();
    window.write(OURS, Some((1, "short")), || {});
    assert_eq!(text(&first.0, 1024), "short".to_owned() + &"\0".repeat(1019));
    window.write(OURS, Some((1, &"longer".repeat(200))), || {});
    let second = window.block.load().unwrap();
    assert_eq!((first.0.len(), second.0.len()), (1024 / 8, 2048 / 8));
    window.write(0, None, || {});
    for block in [first, second] {
        assert!(block.0.iter().all(|word| word.load(Ordering::Relaxed) == 0) || in_use_again(block));
    }
}

/// Whether a test beside this one has got the block in the meantime.
fn in_use_again(block: &'static Block) -> bool {
    !lock(&IDLE.get()).iter().any(|idle| std::ptr::eq(*idle, block))
}

#[test]
fn a_block_that_was_given_back_is_the_next_ones() {
    // Of a size that no other test asks for.
    let text = "x".repeat(5000);
    let (first, second) = (window(&text), window(&text));
    let block = first.block.load().unwrap();
    assert!(!std::ptr::eq(block, second.block.load().unwrap()));
    first.write(0, None, || {});
    assert!(std::ptr::eq(block, window(&text).block.load().unwrap()));
}

#[test]
fn readers_on_other_threads_never_see_two_tokens_in_one() {
    let window = window(&"a".repeat(900));
    let (stop, whole) = (AtomicBool::new(false), AtomicU64::new(0));
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    let mut copy = String::new();
                    let copied = window.read(OURS, 1000, |words, length| {
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
            window.write(OURS, Some((1, &letter.repeat(900))), || {});
            lease(window, 1000);
            if whole.load(Ordering::Relaxed) > 2_000 {
                break;
            }
        }
        stop.store(true, Ordering::Relaxed);
    });
    assert!(whole.into_inner() > 0, "some were read");
}
