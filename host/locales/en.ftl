### What the pages of setpass say.
###
### To add a language: translate a copy of this file, name it after the language's tag, and add it to LANGUAGES in
### src/http/language.rs. A test compares the messages and their variables with this file's.

## On every page

support-lead = Questions? Write to
languages-label = Language
new-link-action = Ask for a new link
try-again-action = Try again
log-in-action = Log in
problem-title = Problem

## Setting a password

set-title = Set your password
set-lead-days = { $count ->
        [one] Links from the mail work for one day.
       *[other] Links from the mail work for { $count } days.
    }
set-lead-hours = { $count ->
        [one] Links from the mail work for one hour.
       *[other] Links from the mail work for { $count } hours.
    }
set-lead-minutes = { $count ->
        [one] Links from the mail work for one minute.
       *[other] Links from the mail work for { $count } minutes.
    }
set-pin-label = PIN
set-pin-hint = The digits that you chose when you signed up or asked for a new password.
set-password-label = New password
set-password-hint = At least { $shortest } characters. Long is good: a few words that you can remember. Every character counts, also blanks.
set-confirm-label = New password once more
set-show-label = Show the passwords
set-action = Set password
set-trouble = The link does not work, or you do not know the PIN?
strength-0 = Very easy to guess: add some words that have nothing to do with each other.
strength-1 = Easy to guess: add a word or two.
strength-2 = Could be better: one more word would help.
strength-3 = Good: hard to guess.
strength-4 = Very good: very hard to guess.
differs-hint = The two passwords are not the same yet.
form-for-programs = This is a form for people. Programs POST pin, password and confirm_password to this address, as a form or as JSON.

## How setting a password went

password-set = You can log in with it now. The link from the mail does not work any more.
    .title = Your password is set
bad-body = This could not be read as a form or as JSON.
missing-field = Please fill in all three fields.
mismatch = The two passwords are not the same. Please type them again.
invalid-pin = Please check the PIN: it has { $shortest } to { $longest } digits, and nothing else.
wrong-pin = The PIN is wrong. It is the one that you chose when you signed up or asked for a new password. Tries left: { $left }.
wrong-pin-last = That was the last try that this link allowed. Your account is not affected. Ask for a new link.
    .title = The PIN is wrong
password-too-short = The password needs at least { $shortest } characters. Add a word or two.
password-too-long = The password has more than { $longest } characters. Please take a shorter one.
password-unprintable = The password holds a character that cannot be typed where you log in, such as a tab or a line break. Please type it anew.
password-common = This password is among the first that anybody would guess. Please take a few words that have nothing to do with each other.
password-name = This password is little more than your name or the name of this site. Please add a few words that have nothing to do with either.
refused = The cloud does not accept this password. It says: { $words }
reused = You had this password before, and the cloud wants another one. It says: { $words }
previous-gone = Your previous password does not work any more: set a new one with this link. If the link ends before that, ask for another one.
unavailable = The service that keeps passwords does not answer at this moment. Your link still works: please try again in some minutes.
no-token = Open this page with the whole link from the mail. Some mail programs break long links in two: then copy both parts into the address bar.
    .title = The link is incomplete
unknown-link = It may have been used already, or a newer mail has replaced it: use the link in the newest mail. If you have set your password before, just log in.
    .title = This link is not known
expired = For your safety links work for a short time only. Ask for a new one.
    .title = This link has expired
locked = Too many wrong PINs were tried with it, so it is locked. Your account is not affected. Ask for a new link.
    .title = This link is locked
locked-for-today = Too many wrong PINs were tried for you within 24 hours. Your account is not affected. Try again tomorrow, with a new link if this one has expired by then.
    .title = Too many wrong PINs today
locked-by-keystone = The cloud says: { $words } Your link still works: you may try again later.
    .title = The password cannot be changed now
busy = Your password is being set at this moment. Try to log in; if that does not work in some minutes, open the link from the mail again.
    .title = One moment
changed-elsewhere = The cloud does not accept the password that this link starts from. Either another one has been set meanwhile, for example by an administrator: then ask for a new link. Or too many wrong passwords were tried with your account, and the cloud has locked it for a while: then open this link again in half an hour, and try no password in between.
    .title = Your password was changed elsewhere, or your account is locked for a while
changed-elsewhere-last = The cloud has refused the password that this link starts from again and again, so the link has ended. Probably somebody has set another one, for example an administrator. Ask for a new link.
    .title = Your password was changed elsewhere
perhaps-changed = An earlier try got no answer, but seems to have worked. Log in with the password that you typed then. If that does not work, ask for a new link.
    .title = Your password is probably set already
disabled = An administrator has disabled it, so the password cannot be set. Write to the address below if you do not know why.
    .title = Your account is disabled
account-gone = The account that this link was made for has been removed, so the link has ended. Write to the address below if you do not know why.
    .title = This account does not exist any more

## Asking for a new link

reset-title = Ask for a new password
reset-lead = The helpdesk will look at your request and mail a link to the address of your account.
reset-lead-self-service = A link will be mailed to the address of your account. Your present password works until you have used the link.
reset-name-label = Name
reset-email-label = E-mail address of your account
reset-pin-label = New PIN
reset-pin-hint = { $digits } digits or more that nobody guesses: no birthday, no row of digits. You will need it together with the link.
reset-action = Send request
reset-for-programs = This is a form for people. Programs POST name, email and pin to this address, as a form or as JSON.
reset-off = Here nobody can ask for a new password. Write to the address below instead.
    .title = Ask the support

## How asking went

received = If there is an account with this address, the helpdesk will look at the request and mail a link to the address of the account. You will need the PIN that you have just chosen, so remember it.
    .title = Your request was received
received-self-service = If there is an account with this address, a mail with a link is on its way to the address of the account. You will need the PIN that you have just chosen. Nothing has come after ten minutes? Look into the folder for unwanted mail, then write to the address below.
    .title = Your request was received
missing-email = Please fill in your e-mail address.
emails-differ = The two e-mail addresses are not the same.
missing-pin = Please choose a PIN.
trivial-pin = This PIN is among the first that anybody would guess. Please choose another.
unusable-pin = Please choose another PIN: it has { $shortest } to { $longest } digits, and nothing else.

## Everything else

not-found = Check the address, or open the link from the mail again.
    .title = There is no such page
other-site = For your safety this page only takes what was typed into it. Open the link from the mail again.
    .title = This came from another site
too-many-requests = Too many requests came from your network in a short time. Please wait a while, an hour at most, and try again. Nothing has changed with your account.
    .title = Please wait a while
too-many-today = Too many links were asked for from your network within 24 hours. Please try again tomorrow, or write to the address below. Nothing has changed with your account.
    .title = Please come back tomorrow
overloaded = Many people are asking at this moment. Please try again in a minute.
    .title = Many are asking now
too-long = What was sent is longer than anything this page asks for.
    .title = That was too much
too-slow = What was sent did not arrive in time. Check your connection, then open the link from the mail again.
    .title = That took too long
failure = It is not your fault, and it was written down for those who run this service. Please try again later.
    .title = Something went wrong here
