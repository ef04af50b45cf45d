### Kalimat pada halaman setpass, dalam bahasa Indonesia.

## Di setiap halaman

support-lead = Ada pertanyaan? Tulis ke
languages-label = Bahasa
new-link-action = Minta tautan baru
try-again-action = Coba lagi
log-in-action = Masuk
problem-title = Masalah

## Mengatur kata sandi

set-title = Atur kata sandi Anda
set-lead-days = Tautan dari email berlaku selama { $count } hari.
set-lead-hours = Tautan dari email berlaku selama { $count } jam.
set-lead-minutes = Tautan dari email berlaku selama { $count } menit.
set-pin-label = PIN
set-pin-hint = Angka yang Anda pilih saat mendaftar atau saat meminta kata sandi baru.
set-password-label = Kata sandi baru
set-password-hint = Paling sedikit { $shortest } karakter. Makin panjang makin baik: beberapa kata yang mudah Anda ingat. Setiap karakter dihitung, termasuk spasi.
set-confirm-label = Ulangi kata sandi baru
set-show-label = Tampilkan kata sandi
set-action = Atur kata sandi
set-trouble = Tautan tidak berfungsi, atau Anda tidak tahu PIN-nya?
strength-0 = Sangat mudah ditebak: tambahkan beberapa kata yang tidak saling berhubungan.
strength-1 = Mudah ditebak: tambahkan satu atau dua kata.
strength-2 = Bisa lebih baik: satu kata lagi akan membantu.
strength-3 = Baik: sulit ditebak.
strength-4 = Sangat baik: sangat sulit ditebak.
differs-hint = Kedua kata sandi belum sama.
form-for-programs = Ini formulir untuk manusia. Program mengirim pin, password, dan confirm_password dengan POST ke alamat ini, sebagai formulir atau JSON.

## Hasil pengaturan kata sandi

password-set = Sekarang Anda dapat masuk dengan kata sandi itu. Tautan dari email tidak berlaku lagi.
    .title = Kata sandi Anda telah diatur
bad-body = Isi ini tidak dapat dibaca sebagai formulir maupun JSON.
missing-field = Isilah ketiga kolom.
mismatch = Kedua kata sandi tidak sama. Silakan ketik lagi.
invalid-pin = Periksa PIN Anda: terdiri atas { $shortest } sampai { $longest } angka, tanpa karakter lain.
wrong-pin = PIN salah. Gunakan PIN yang Anda pilih saat mendaftar atau saat meminta kata sandi baru. Sisa percobaan: { $left }.
wrong-pin-last = Itu percobaan terakhir yang diizinkan tautan ini. Akun Anda tidak terpengaruh. Mintalah tautan baru.
    .title = PIN salah
password-too-short = Kata sandi perlu paling sedikit { $shortest } karakter. Tambahkan satu atau dua kata.
password-too-long = Kata sandi ini lebih dari { $longest } karakter. Silakan pakai yang lebih pendek.
password-unprintable = Kata sandi ini berisi karakter yang tidak dapat diketik saat masuk, misalnya tab atau ganti baris. Silakan ketik ulang.
password-common = Kata sandi ini termasuk yang paling dulu ditebak orang. Silakan pakai beberapa kata yang tidak saling berhubungan.
password-name = Kata sandi ini hampir hanya nama Anda atau nama situs ini. Silakan tambahkan beberapa kata yang tidak berhubungan dengan keduanya.
refused = Cloud tidak menerima kata sandi ini. Pesannya: { $words }
reused = Kata sandi ini pernah Anda pakai, dan cloud meminta yang lain. Pesannya: { $words }
previous-gone = Kata sandi Anda yang lama tidak berlaku lagi: aturlah yang baru dengan tautan ini. Jika tautan ini berakhir sebelum itu, mintalah tautan lain.
unavailable = Layanan yang menyimpan kata sandi sedang tidak menjawab. Tautan Anda tetap berlaku: silakan coba lagi beberapa menit lagi.
no-token = Buka halaman ini dengan tautan lengkap dari email. Beberapa program email memotong tautan panjang menjadi dua: salinlah kedua bagian ke bilah alamat.
    .title = Tautan tidak lengkap
unknown-link = Mungkin tautan ini sudah dipakai, atau sudah diganti oleh email yang lebih baru: gunakan tautan di email terbaru. Jika kata sandi sudah pernah Anda atur, langsung saja masuk.
    .title = Tautan ini tidak dikenal
expired = Demi keamanan Anda, tautan hanya berlaku sebentar. Mintalah yang baru.
    .title = Tautan ini sudah kedaluwarsa
locked = Terlalu banyak PIN salah dicoba dengan tautan ini, jadi tautan ini dikunci. Akun Anda tidak terpengaruh. Mintalah tautan baru.
    .title = Tautan ini terkunci
locked-for-today = Terlalu banyak PIN salah dicoba untuk Anda dalam 24 jam. Akun Anda tidak terpengaruh. Coba lagi besok, dengan tautan baru jika yang ini sudah kedaluwarsa.
    .title = Terlalu banyak PIN salah hari ini
locked-by-keystone = Pesan dari cloud: { $words } Tautan Anda tetap berlaku: Anda dapat mencoba lagi nanti.
    .title = Kata sandi belum dapat diubah sekarang
busy = Kata sandi Anda sedang diatur. Cobalah masuk; jika dalam beberapa menit belum bisa, buka lagi tautan dari email.
    .title = Mohon tunggu sebentar
changed-elsewhere = Cloud tidak menerima kata sandi yang menjadi dasar tautan ini. Mungkin kata sandi lain telah ditetapkan, misalnya oleh administrator: kalau begitu, mintalah tautan baru. Atau terlalu banyak kata sandi salah dicoba pada akun Anda sehingga cloud menguncinya untuk sementara: kalau begitu, buka lagi tautan ini setengah jam lagi, dan jangan mencoba kata sandi apa pun sampai saat itu.
    .title = Kata sandi Anda telah diubah di tempat lain, atau akun Anda dikunci untuk sementara
changed-elsewhere-last = Cloud berulang kali menolak kata sandi yang menjadi dasar tautan ini, jadi tautan ini tidak berlaku lagi. Mungkin seseorang, misalnya administrator, telah menetapkan kata sandi lain. Mintalah tautan baru.
    .title = Kata sandi Anda telah diubah di tempat lain
perhaps-changed = Percobaan sebelumnya tidak mendapat jawaban, tetapi tampaknya berhasil. Masuklah dengan kata sandi yang Anda ketik waktu itu. Jika tidak bisa, mintalah tautan baru.
    .title = Kata sandi Anda mungkin sudah diatur
disabled = Administrator telah menonaktifkannya, jadi kata sandi tidak dapat diatur. Tulis ke alamat di bawah jika Anda tidak tahu sebabnya.
    .title = Akun Anda dinonaktifkan
account-gone = Akun yang menjadi tujuan tautan ini telah dihapus, jadi tautan ini tidak berlaku lagi. Tulis ke alamat di bawah jika Anda tidak tahu sebabnya.
    .title = Akun ini sudah tidak ada

## Meminta tautan baru

reset-title = Minta kata sandi baru
reset-lead = Tim bantuan akan memeriksa permintaan Anda dan mengirim tautan ke alamat email akun Anda.
reset-lead-self-service = Tautan akan dikirim ke alamat email akun Anda. Kata sandi Anda yang sekarang tetap berlaku sampai tautan itu dipakai.
reset-name-label = Nama
reset-email-label = Alamat email akun Anda
reset-pin-label = PIN baru
reset-pin-hint = { $digits } angka atau lebih yang tidak mudah ditebak: bukan tanggal lahir, bukan deret angka. Anda memerlukannya bersama tautan.
reset-action = Kirim permintaan
reset-for-programs = Ini formulir untuk manusia. Program mengirim name, email, dan pin dengan POST ke alamat ini, sebagai formulir atau JSON.
reset-off = Kata sandi baru tidak dapat diminta di sini. Silakan tulis ke alamat di bawah.
    .title = Hubungi tim bantuan

## Hasil permintaan

received = Jika ada akun dengan alamat ini, tim bantuan akan memeriksa permintaan dan mengirim tautan ke alamat email akun itu. Anda akan memerlukan PIN yang baru saja Anda pilih, jadi ingatlah baik-baik.
    .title = Permintaan Anda sudah diterima
received-self-service = Jika ada akun dengan alamat ini, email berisi tautan sedang dikirim ke alamat email akun itu. Anda akan memerlukan PIN yang baru saja Anda pilih. Jika setelah sepuluh menit belum ada email, periksa folder spam, lalu tulislah ke alamat di bawah.
    .title = Permintaan Anda sudah diterima
missing-email = Isilah alamat email Anda.
emails-differ = Kedua alamat email tidak sama.
missing-pin = Pilihlah sebuah PIN.
trivial-pin = PIN ini termasuk yang pertama ditebak orang. Pilihlah yang lain.
unusable-pin = Pilihlah PIN lain: terdiri atas { $shortest } sampai { $longest } angka, tanpa karakter lain.

## Lainnya

not-found = Periksa alamatnya, atau buka lagi tautan dari email.
    .title = Halaman ini tidak ada
other-site = Demi keamanan Anda, halaman ini hanya menerima apa yang diketik di dalamnya. Buka lagi tautan dari email.
    .title = Ini berasal dari situs lain
too-many-requests = Terlalu banyak permintaan datang dari jaringan Anda dalam waktu singkat. Tunggulah sebentar, paling lama satu jam, lalu coba lagi. Akun Anda tidak berubah.
    .title = Tunggulah sebentar
too-many-today = Terlalu banyak tautan diminta dari jaringan Anda dalam 24 jam. Silakan coba lagi besok, atau tulislah ke alamat di bawah. Akun Anda tidak berubah.
    .title = Silakan kembali besok
overloaded = Saat ini banyak orang sedang meminta. Silakan coba lagi sebentar lagi.
    .title = Layanan sedang sibuk
too-long = Isi yang dikirim lebih panjang daripada apa pun yang diminta halaman ini.
    .title = Terlalu banyak
too-slow = Isi yang dikirim tidak sampai tepat waktu. Periksa koneksi Anda, lalu buka lagi tautan dari email.
    .title = Terlalu lama
failure = Ini bukan kesalahan Anda, dan sudah dicatat untuk pengelola layanan ini. Silakan coba lagi nanti.
    .title = Ada yang tidak beres di sini
