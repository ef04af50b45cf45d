//! Where the database's file is. Its log is a file that its processes map into their memories, which only works on one machine.

use std::path::Path;

use rustix::fs::{FsWord, statfs};

/// What a file system is, as far as it matters to the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Disk {
    /// It may well be a disk of this machine.
    Local,
    /// It is this machine's, or another one's: what is behind it cannot be seen.
    Unclear(&'static str),
    /// It is another machine's.
    Network(&'static str),
}

/// The file system that a file is on, or would be; none where that cannot be seen.
pub(super) fn disk_of(file: &Path) -> Option<Disk> {
    let there = file.ancestors().skip(1).find(|folder| folder.exists())?;
    Some(of_type(statfs(there).ok()?.f_type))
}

/// By the numbers of statfs(2), and of the kernel's `linux/magic.h`.
fn of_type(number: FsWord) -> Disk {
    match number {
        0x6969 => Disk::Network("NFS"),
        0x517B | 0xFE53_4D42 | 0xFF53_4D42 => Disk::Network("SMB"),
        0x5346_414F | 0x6B41_4653 => Disk::Network("AFS"),
        0x00C3_6400 => Disk::Network("Ceph"),
        0x7375_7245 => Disk::Network("Coda"),
        0x0BD0_0BD0 => Disk::Network("Lustre"),
        0x4750_4653 => Disk::Network("GPFS"),
        0x0116_1970 => Disk::Network("GFS2"),
        0x7461_636F => Disk::Network("OCFS2"),
        0x0102_1997 => Disk::Unclear("9p"),
        0x6573_5546 => Disk::Unclear("FUSE"),
        _ => Disk::Local,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_other_machines_have_is_told_from_a_disk() {
        let network =
            [0x6969, 0x517B, 0xFE53_4D42, 0xFF53_4D42, 0x5346_414F, 0x6B41_4653, 0x00C3_6400, 0x0BD0_0BD0];
        for number in network {
            assert!(matches!(of_type(number), Disk::Network(_)), "{number:#x}");
        }
        for number in [0x0102_1997, 0x6573_5546] {
            assert!(matches!(of_type(number), Disk::Unclear(_)), "{number:#x}");
        }
        // ext4, XFS, Btrfs, ZFS, tmpfs, overlay.
        for number in [0xEF53, 0x5846_5342, 0x9123_683E, 0x2FC1_2FC1, 0x0102_1994, 0x794C_7630] {
            assert_eq!(of_type(number), Disk::Local, "{number:#x}");
        }
    }

    #[test]
    fn the_file_system_of_a_file_that_is_not_there_yet_is_that_of_the_folder_that_is() {
        let kernels = disk_of(Path::new("/proc/no folder/usher.sqlite")).unwrap();
        assert_eq!(kernels, Disk::Local);
        assert_eq!(disk_of(Path::new("/no folder/usher.sqlite")), disk_of(Path::new("/usher.sqlite")));
    }
}
