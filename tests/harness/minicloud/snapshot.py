import sqlite3, sys, os, glob, shutil          # snapshot.py FROM TO: copies *.db consistently
src, dst = sys.argv[1:]
os.makedirs(dst, exist_ok=True)
for f in glob.glob(src + '/.done-*'):          # what these databases have been through
    shutil.copy(f, dst)
for f in glob.glob(src + '/*.db'):
    to = os.path.join(dst, os.path.basename(f))
    for x in (to, to + '-wal', to + '-shm', to + '-journal'):
        if os.path.exists(x):
            os.unlink(x)
    a, b = sqlite3.connect(f), sqlite3.connect(to)
    a.backup(b); a.close(); b.close()
