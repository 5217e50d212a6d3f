//! Another try for windows that were missed: names that two controls had in common
//! can still differ from minute to minute (`git commit` names objects by the time).

use super::control::Learned;
use super::plan::Planned;
use super::runner::Runner;
use crate::model::Point;
use crate::windows::windows;

/// The same trials at the addresses that a further control, made now, gives their
/// windows; those only whose address is another then.
pub(super) fn addressed_again(
    runner: &Runner<'_>,
    learned: &Learned,
    missed: &[(usize, &Planned)],
) -> Vec<(usize, Planned)> {
    let (Some(recorded), Some(map)) = (&learned.recorded, &learned.map) else { return Vec::new() };
    let Ok(now) = runner.control(&recorded.plan, None) else { return Vec::new() };
    let Some(recording) = &now.evidence.recording else { return Vec::new() };
    let again = windows(&recorded.recording, recording, recorded.until);
    let address = |number: usize| {
        let opening = map.windows.get(number)?.opened.as_ref()?;
        let same =
            again.windows.iter().filter_map(|window| window.opened.as_ref()).find(|new| new.index == opening.index)?;
        (same.point != opening.point).then(|| same.point.clone())
    };
    let moved = missed.iter().filter_map(|(number, planned)| {
        let mut planned = (*planned).clone();
        let first = planned.plan.acts.first_mut()?.at.first_mut()?;
        first.point = Point::Syscall(address(*number)?);
        Some((*number, planned))
    });
    moved.collect()
}
