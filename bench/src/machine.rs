//! The processor that the figures were measured on.

use std::fs;
use std::thread::available_parallelism;

/// Returns the processor's name, family and model, and how many there are.
///
/// # Panics
///
/// If `/proc/cpuinfo` cannot be read or names no processor.
pub fn describe() -> String {
    let text = fs::read_to_string("/proc/cpuinfo").expect("Linux");
    let processors = available_parallelism().map_or(1, usize::from);
    describe_from(&text, processors).expect("cpuinfo names the processor")
}

fn describe_from(cpuinfo: &str, processors: usize) -> Option<String> {
    let field = |name: &str| {
        cpuinfo.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            (key.trim() == name).then(|| value.trim())
        })
    };
    let virtual_machine = field("flags")?.split(' ').any(|flag| flag == "hypervisor");
    Some(format!(
        "{} (family {}, model {}), {processors} CPUs{}",
        field("model name")?,
        field("cpu family")?,
        field("model")?,
        if virtual_machine {
            " of a virtual machine"
        } else {
            ""
        }
    ))
}

#[cfg(test)]
mod tests {
    use super::describe_from;

    const CPUINFO: &str = "processor\t: 0\ncpu family\t: 6\nmodel\t\t: 143\n\
                           model name\t: Some CPU @ 2.00GHz\nflags\t\t: fpu hypervisor tsc\n";

    #[test]
    fn names_the_processor_and_the_virtual_machine() {
        assert_eq!(
            describe_from(CPUINFO, 2).as_deref(),
            Some("Some CPU @ 2.00GHz (family 6, model 143), 2 CPUs of a virtual machine")
        );
        let bare_metal = CPUINFO.replace("hypervisor ", "");
        assert_eq!(
            describe_from(&bare_metal, 8).as_deref(),
            Some("Some CPU @ 2.00GHz (family 6, model 143), 8 CPUs")
        );
    }

    #[test]
    fn an_unknown_processor_is_not_guessed() {
        assert_eq!(describe_from("processor\t: 0\n", 1), None);
    }
}
