use std::fs::{self, File};
use std::io::Read;

use super::descriptor::End;

const MAX_CHILDREN: usize = 64;
const MAX_DESCRIPTORS: usize = 16;
/// The children of at most this many threads are examined.
const MAX_THREADS: usize = 256;

/// Returns the living child process that holds the other end of a pipe.
///
/// `Command::output` waits for its child's output before it waits for the child, so the call
/// itself shows only a pipe.
pub(super) fn child_behind(thread: i32, inode: u64, end: End) -> Option<i32> {
    let link = format!("pipe:[{inode}]");
    // The kernel lists a child with the thread that created it.
    std::iter::once(thread)
        .chain(other_threads(thread))
        .take(MAX_THREADS)
        .flat_map(children)
        .take(MAX_CHILDREN)
        .find(|child| holds(*child, &link, end))
}

/// Returns all other threads in the kernel's order, which is mostly the oldest first.
fn other_threads(thread: i32) -> impl Iterator<Item = i32> {
    let entries = fs::read_dir("/proc/self/task");
    entries
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(move |other| *other != thread)
}

fn children(thread: i32) -> Vec<i32> {
    const MAX_LENGTH: u64 = 4096;
    let mut text = String::new();
    if let Ok(file) = File::open(format!("/proc/self/task/{thread}/children")) {
        let _ = file.take(MAX_LENGTH).read_to_string(&mut text);
    }
    // Each number ends with a space. One without was cut.
    text.split_inclusive(' ')
        .filter_map(|child| child.strip_suffix(' ')?.trim().parse().ok())
        .collect()
}

fn holds(child: i32, link: &str, end: End) -> bool {
    let Ok(entries) = fs::read_dir(format!("/proc/{child}/fd")) else {
        return false;
    };
    entries.take(MAX_DESCRIPTORS).flatten().any(|entry| {
        let path = entry.path();
        fs::read_link(&path).is_ok_and(|target| target.as_os_str() == link)
            && path
                .to_str()
                .is_some_and(|path| end.is_opposite(End::of_link(path)))
    })
}

#[cfg(test)]
mod tests {
    use super::super::describe::tests::own_thread;
    use super::super::descriptor::Descriptor;
    use super::*;
    use std::os::fd::AsRawFd;
    use std::process::{Command, Stdio};

    fn pipe(number: &impl AsRawFd) -> (u64, End) {
        match Descriptor::resolve(own_thread(), number.as_raw_fd()) {
            Some(Descriptor::Pipe { inode, end }) => (inode, end),
            other => panic!("not a pipe: {other:?}"),
        }
    }

    #[test]
    fn the_child_behind_a_pipe_is_found_while_it_lives() {
        let mut child = Command::new("sleep")
            .arg("60")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let number = child.id() as i32;
        let (input, input_end) = pipe(child.stdin.as_ref().unwrap());
        let (output, output_end) = pipe(child.stdout.as_ref().unwrap());
        let (reader, writer) = std::io::pipe().unwrap();
        let (own, own_end) = pipe(&reader);
        let found = |thread| {
            [
                child_behind(thread, input, input_end),
                child_behind(thread, output, output_end),
                // The child does not hold the opposite end.
                child_behind(thread, input, End::Reads),
                child_behind(thread, own, own_end),
            ]
        };
        let of_own = found(own_thread());
        let of_other = std::thread::scope(|scope| scope.spawn(|| found(own_thread())).join());
        child.kill().unwrap();
        child.wait().unwrap();
        drop(writer);
        assert_eq!(of_own, [Some(number), Some(number), None, None]);
        assert_eq!(of_other.unwrap(), of_own);
        assert_eq!(found(own_thread()), [None; 4]);
    }
}
