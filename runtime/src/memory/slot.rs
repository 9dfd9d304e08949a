//! A slot: reserved addresses with an image at their beginning.

use std::io;
use std::ops::Range;
use std::ptr;
use std::sync::Arc;

use rustix::mm::{Advice, MapFlags, MprotectFlags, ProtFlags, madvise, mmap, mmap_anonymous, mprotect};

use super::image::Image;
use super::pagemap::PageMap;
use crate::mapping::Mapping;

/// The size of the system's pages. The images' lengths are multiples of it.
pub(super) const PAGE: usize = 4096;

/// Addresses of one memory. They belong to whoever has the slot.
pub(super) struct Slot {
    /// What is reserved, the guard at its end included.
    reserved: Mapping,
    /// What can be read and written, from the start.
    accessible: usize,
    /// What is mapped at the start, once something is.
    image: Option<Arc<Image>>,
    /// Bytes of the image that are this slot's own, since they were written before the last reset.
    resident: usize,
}

impl Slot {
    /// Reserves addresses, none of them accessible.
    pub(super) fn reserve(reserved: usize) -> io::Result<Self> {
        let reserved = Mapping::anonymous(reserved, ProtFlags::empty())?;
        Ok(Self { reserved, accessible: 0, image: None, resident: 0 })
    }

    pub(super) fn address(&self) -> *mut u8 {
        self.reserved.start()
    }

    pub(super) fn accessible(&self) -> usize {
        self.accessible
    }

    pub(super) fn resident(&self) -> usize {
        self.resident
    }

    pub(super) fn has(&self, image: &Arc<Image>) -> bool {
        self.image.as_ref().is_some_and(|own| Arc::ptr_eq(own, image))
    }

    /// Whether it is as large as such a memory needs it.
    pub(super) fn fits(&self, reserved: usize) -> bool {
        self.reserved.len() >= reserved
    }

    /// Maps another image.
    #[expect(unsafe_code, reason = "mapping over addresses of the slot")]
    pub(super) fn map(&mut self, image: Arc<Image>, pages: Option<&PageMap>) -> io::Result<()> {
        self.close(0..self.accessible)?;
        self.accessible = 0;
        let (protection, flags) = (ProtFlags::READ | ProtFlags::WRITE, MapFlags::PRIVATE | MapFlags::FIXED);
        // SAFETY: the addresses are the slot's, and nothing refers to what was there.
        unsafe { mmap(self.address().cast(), image.len(), protection, flags, image.file(), 0) }?;
        self.accessible = image.len();
        self.image = Some(image);
        self.resident = 0;
        pages.map_or(Ok(()), |pages| pages.watch(self.mapped()))
    }

    /// What it holds.
    #[expect(unsafe_code, reason = "reading what the slot maps")]
    pub(super) fn content(&mut self) -> &[u8] {
        // SAFETY: it is accessible so far, and borrowed as nobody else's.
        unsafe { std::slice::from_raw_parts(self.address(), self.accessible) }
    }

    /// The addresses of the image.
    fn mapped(&self) -> Range<usize> {
        let start = self.address().addr();
        start..start + self.image.as_ref().map_or(0, |image| image.len())
    }

    /// Makes more of it accessible, full of zeros.
    #[expect(unsafe_code, reason = "changing the protection of addresses of the slot")]
    pub(super) fn grow(&mut self, to: usize) -> io::Result<()> {
        if to <= self.accessible {
            return Ok(());
        }
        let more = self.accessible..to;
        // SAFETY: the addresses are the slot's.
        let start = unsafe { self.address().add(more.start) }.cast();
        // SAFETY: as above; they were reserved and never accessible, or closed.
        unsafe { mprotect(start, more.len(), MprotectFlags::READ | MprotectFlags::WRITE) }?;
        self.accessible = to;
        Ok(())
    }

    /// Makes it what it was before it was used. What was written stays in memory up to so many bytes, so that writing it
    /// again costs nothing; what is above is given back to the system.
    pub(super) fn reset(&mut self, pages: Option<&PageMap>, keep_resident: usize) -> io::Result<()> {
        let Some(image) = self.image.clone() else { return Ok(()) };
        if self.accessible > image.len() {
            self.close(image.len()..self.accessible)?;
            self.accessible = image.len();
        }
        self.resident = 0;
        let Some(pages) = pages else { return self.discard(0..image.len()) };
        let start = self.address().addr();
        let (mut kept, mut above) = (0, None);
        pages.written(start..start + image.len(), |run| {
            let run = run.start - start..run.end - start;
            kept += run.len();
            if kept > keep_resident {
                above.get_or_insert(run.start);
            } else {
                self.resident = kept;
                self.restore(&image, run);
            }
        })?;
        let Some(above) = above else { return Ok(()) };
        self.discard(above..image.len())?;
        pages.watch(start + above..start + image.len())
    }

    #[expect(unsafe_code, reason = "copying between mappings")]
    fn restore(&mut self, image: &Image, run: Range<usize>) {
        debug_assert!(run.start <= run.end && run.end <= image.len());
        // SAFETY: both are mapped as far as the image is long, the slot is nobody else's, and they do not overlap.
        unsafe {
            ptr::copy_nonoverlapping(image.pristine().add(run.start), self.address().add(run.start), run.len());
        }
    }

    /// Drops what was written: the image's own pages are there again.
    #[expect(unsafe_code, reason = "dropping pages of the slot")]
    fn discard(&mut self, part: Range<usize>) -> io::Result<()> {
        // SAFETY: the addresses are the slot's, and nothing refers to what is there.
        unsafe { madvise(self.address().add(part.start).cast(), part.len(), Advice::LinuxDontNeed) }?;
        Ok(())
    }

    /// Makes a part inaccessible again and drops what is there.
    #[expect(unsafe_code, reason = "mapping over addresses of the slot")]
    fn close(&mut self, part: Range<usize>) -> io::Result<()> {
        if part.is_empty() {
            return Ok(());
        }
        let flags = MapFlags::PRIVATE | MapFlags::NORESERVE | MapFlags::FIXED;
        // SAFETY: as above.
        unsafe { mmap_anonymous(self.address().add(part.start).cast(), part.len(), ProtFlags::empty(), flags) }?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEN: usize = 8 << 20;

    /// An image whose every second MiB is not zero.
    fn image(folder: &std::path::Path) -> Arc<Image> {
        let bytes: Vec<u8> = (0..1 << 20).map(|place: usize| (place / 7 % 251) as u8).collect();
        let path = folder.join("image");
        Image::write(&path, LEN, (0..4).map(|number| (number << 21, bytes.as_slice()))).unwrap();
        Arc::new(Image::open(&path).unwrap())
    }

    #[expect(unsafe_code, reason = "reading and writing what the slot maps")]
    fn content(slot: &mut Slot) -> &mut [u8] {
        // SAFETY: it is accessible, and the slot is borrowed.
        unsafe { std::slice::from_raw_parts_mut(slot.address(), slot.accessible()) }
    }

    #[test]
    fn a_slot_is_as_it_was_after_any_use() {
        let folder = tempfile::tempdir().unwrap();
        let image = image(folder.path());
        // What the kernel has: writes are noted, or the kind of each page is looked at, or neither.
        let ways = [PageMap::open(), PageMap::without_protection(), None];
        for pages in ways.iter().map(Option::as_ref) {
            let mut slot = Slot::reserve(LEN * 2).unwrap();
            slot.map(Arc::clone(&image), pages).unwrap();
            let pristine = content(&mut slot).to_vec();
            assert!(pristine.iter().any(|byte| *byte != 0));
            // Twice each: the second time, what was written is resident.
            for (step, keep_resident) in [(2, LEN), (2, LEN), (1, LEN), (3, 64 * PAGE), (700, LEN), (2, 0)] {
                for page in content(&mut slot).chunks_mut(PAGE).step_by(step) {
                    page[step] ^= 0xff;
                }
                slot.grow(LEN + (1 << 16)).unwrap();
                content(&mut slot)[LEN..].fill(7);
                slot.reset(pages, keep_resident).unwrap();
                assert_eq!(slot.accessible(), LEN);
                assert!(content(&mut slot) == pristine, "something is left of step {step}");
                slot.grow(LEN + (1 << 16)).unwrap();
                assert!(content(&mut slot)[LEN..].iter().all(|byte| *byte == 0), "what is grown into is not empty");
                slot.reset(pages, keep_resident).unwrap();
            }
        }
    }

    #[test]
    fn what_was_written_stays_resident_up_to_the_limit() {
        let folder = tempfile::tempdir().unwrap();
        let image = image(folder.path());
        let Some(pages) = PageMap::open() else { return };
        let mut slot = Slot::reserve(LEN * 2).unwrap();
        slot.map(Arc::clone(&image), Some(&pages)).unwrap();
        let written = |slot: &Slot| {
            let start = slot.address().addr();
            let mut count = 0;
            pages.written(start..start + LEN, |run| count += run.len() / PAGE).unwrap();
            count
        };
        for page in content(&mut slot).chunks_mut(PAGE).step_by(2) {
            page[0] ^= 0xff;
        }
        assert_eq!(written(&slot), LEN / PAGE / 2, "more runs than one scan answers");
        slot.reset(Some(&pages), LEN).unwrap();
        assert_eq!(written(&slot), LEN / PAGE / 2);
        slot.reset(Some(&pages), 100 * PAGE).unwrap();
        assert_eq!(written(&slot), 100);
    }
}
