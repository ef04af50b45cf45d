### Was die Seiten von setpass sagen, auf Deutsch.

## Auf jeder Seite

support-lead = Fragen? Schreiben Sie an
languages-label = Sprache
new-link-action = Neuen Link anfordern
try-again-action = Noch einmal versuchen
log-in-action = Anmelden
problem-title = Problem

## Passwort setzen

set-title = Passwort festlegen
set-lead-days = { $count ->
        [one] Links aus der E-Mail gelten einen Tag lang.
       *[other] Links aus der E-Mail gelten { $count } Tage lang.
    }
set-lead-hours = { $count ->
        [one] Links aus der E-Mail gelten eine Stunde lang.
       *[other] Links aus der E-Mail gelten { $count } Stunden lang.
    }
set-lead-minutes = { $count ->
        [one] Links aus der E-Mail gelten eine Minute lang.
       *[other] Links aus der E-Mail gelten { $count } Minuten lang.
    }
set-pin-label = PIN
set-pin-hint = Die Ziffern, die Sie bei der Anmeldung oder beim Anfordern eines neuen Passworts gewählt haben.
set-password-label = Neues Passwort
set-password-hint = Mindestens { $shortest } Zeichen. Länge hilft: ein paar Wörter, die Sie sich merken können. Jedes Zeichen zählt, auch Leerzeichen.
set-confirm-label = Neues Passwort noch einmal
set-show-label = Passwörter anzeigen
set-action = Passwort festlegen
set-trouble = Der Link geht nicht, oder Sie wissen die PIN nicht?
strength-0 = Sehr leicht zu erraten: Nehmen Sie mehrere Wörter dazu, die nichts miteinander zu tun haben.
strength-1 = Leicht zu erraten: Nehmen Sie ein oder zwei Wörter dazu.
strength-2 = Geht noch besser: Ein weiteres Wort würde helfen.
strength-3 = Gut: schwer zu erraten.
strength-4 = Sehr gut: sehr schwer zu erraten.
differs-hint = Die beiden Passwörter sind noch nicht gleich.
form-for-programs = Dies ist ein Formular für Menschen. Programme senden pin, password und confirm_password mit POST an diese Adresse, als Formular oder als JSON.

## Wie es ausging

password-set = Sie können sich jetzt damit anmelden. Der Link aus der E-Mail gilt nicht mehr.
    .title = Ihr Passwort ist festgelegt
bad-body = Das ließ sich weder als Formular noch als JSON lesen.
missing-field = Bitte füllen Sie alle drei Felder aus.
mismatch = Die beiden Passwörter sind nicht gleich. Bitte geben Sie sie noch einmal ein.
invalid-pin = Bitte prüfen Sie die PIN: Sie hat { $shortest } bis { $longest } Ziffern und sonst nichts.
wrong-pin = Die PIN ist falsch. Es ist die, die Sie bei der Anmeldung oder beim Anfordern eines neuen Passworts gewählt haben. Verbleibende Versuche: { $left }.
wrong-pin-last = Das war der letzte Versuch mit diesem Link. Ihr Konto ist davon nicht betroffen. Fordern Sie einen neuen Link an.
    .title = Die PIN ist falsch
password-too-short = Das Passwort braucht mindestens { $shortest } Zeichen. Hängen Sie ein oder zwei Wörter an.
password-too-long = Das Passwort hat mehr als { $longest } Zeichen. Bitte nehmen Sie ein kürzeres.
password-unprintable = Das Passwort enthält ein Zeichen, das sich beim Anmelden nicht eintippen lässt, etwa einen Tabulator oder Zeilenumbruch. Bitte geben Sie es neu ein.
password-common = Dieses Passwort würde man als eines der ersten erraten. Bitte nehmen Sie einige Wörter, die nichts miteinander zu tun haben.
password-name = Dieses Passwort ist kaum mehr als Ihr Name oder der Name dieser Seite. Bitte fügen Sie einige Wörter hinzu, die mit beidem nichts zu tun haben.
refused = Die Cloud nimmt dieses Passwort nicht an. Sie sagt: { $words }
reused = Dieses Passwort hatten Sie schon einmal, und die Cloud möchte ein anderes. Sie sagt: { $words }
previous-gone = Ihr bisheriges Passwort gilt nicht mehr: Legen Sie mit diesem Link ein neues fest. Falls der Link vorher abläuft, fordern Sie einen anderen an.
unavailable = Der Dienst, der die Passwörter verwaltet, antwortet gerade nicht. Ihr Link gilt weiter: Bitte versuchen Sie es in einigen Minuten noch einmal.
no-token = Öffnen Sie diese Seite mit dem ganzen Link aus der E-Mail. Manche Mailprogramme brechen lange Links um: Kopieren Sie dann beide Teile in die Adresszeile.
    .title = Der Link ist unvollständig
unknown-link = Vielleicht wurde er schon benutzt, oder eine neuere E-Mail hat ihn ersetzt: Nehmen Sie den Link aus der neuesten E-Mail. Falls Sie Ihr Passwort schon festgelegt haben, melden Sie sich einfach an.
    .title = Dieser Link ist nicht bekannt
expired = Zu Ihrer Sicherheit gelten Links nur kurze Zeit. Fordern Sie einen neuen an.
    .title = Dieser Link ist abgelaufen
locked = Mit ihm wurden zu viele falsche PINs versucht, darum ist er gesperrt. Ihr Konto ist davon nicht betroffen. Fordern Sie einen neuen Link an.
    .title = Dieser Link ist gesperrt
locked-for-today = Für Sie wurden innerhalb von 24 Stunden zu viele falsche PINs versucht. Ihr Konto ist davon nicht betroffen. Versuchen Sie es morgen wieder, mit einem neuen Link, falls dieser dann abgelaufen ist.
    .title = Heute zu viele falsche PINs
locked-by-keystone = Die Cloud sagt: { $words } Ihr Link gilt weiter: Sie können es später noch einmal versuchen.
    .title = Das Passwort lässt sich jetzt nicht ändern
busy = Ihr Passwort wird gerade festgelegt. Versuchen Sie, sich anzumelden; falls das in einigen Minuten nicht geht, öffnen Sie den Link aus der E-Mail noch einmal.
    .title = Einen Augenblick
changed-elsewhere = Die Cloud nimmt das Passwort nicht an, von dem dieser Link ausgeht. Entweder ist inzwischen ein anderes gesetzt, zum Beispiel von einem Administrator: Dann fordern Sie einen neuen Link an. Oder mit Ihrem Konto wurden zu viele falsche Passwörter versucht, und die Cloud hat es für eine Weile gesperrt: Dann öffnen Sie diesen Link in einer halben Stunde noch einmal, und versuchen Sie bis dahin kein Passwort.
    .title = Ihr Passwort wurde anderswo geändert, oder Ihr Konto ist für eine Weile gesperrt
changed-elsewhere-last = Die Cloud hat das Passwort, von dem dieser Link ausgeht, immer wieder abgelehnt, darum gilt der Link nicht mehr. Wahrscheinlich hat jemand ein anderes gesetzt, zum Beispiel ein Administrator. Fordern Sie einen neuen Link an.
    .title = Ihr Passwort wurde anderswo geändert
perhaps-changed = Ein früherer Versuch blieb ohne Antwort, hat aber wohl gewirkt. Melden Sie sich mit dem Passwort an, das Sie dabei eingegeben haben. Falls das nicht geht, fordern Sie einen neuen Link an.
    .title = Ihr Passwort ist wahrscheinlich schon festgelegt
disabled = Ein Administrator hat es gesperrt, darum lässt sich das Passwort nicht festlegen. Schreiben Sie an die Adresse unten, wenn Sie den Grund nicht kennen.
    .title = Ihr Konto ist gesperrt
account-gone = Das Konto, für das dieser Link gemacht wurde, ist gelöscht, darum gilt der Link nicht mehr. Schreiben Sie an die Adresse unten, wenn Sie den Grund nicht kennen.
    .title = Dieses Konto gibt es nicht mehr

## Einen neuen Link anfordern

reset-title = Neues Passwort anfordern
reset-lead = Der Helpdesk sieht sich Ihre Anfrage an und schickt einen Link an die Adresse Ihres Kontos.
reset-lead-self-service = Ein Link geht an die Adresse Ihres Kontos. Ihr jetziges Passwort gilt, bis Sie den Link benutzt haben.
reset-name-label = Name
reset-email-label = E-Mail-Adresse Ihres Kontos
reset-pin-label = Neue PIN
reset-pin-hint = Mindestens { $digits } Ziffern, die niemand errät: kein Geburtstag, keine Ziffernreihe. Sie brauchen sie zusammen mit dem Link.
reset-action = Anfrage senden
reset-for-programs = Dies ist ein Formular für Menschen. Programme senden name, email und pin mit POST an diese Adresse, als Formular oder als JSON.
reset-off = Ein neues Passwort lässt sich hier nicht anfordern. Schreiben Sie stattdessen an die Adresse unten.
    .title = Fragen Sie beim Support nach

## Wie die Anfrage ausging

received = Falls es ein Konto mit dieser Adresse gibt, sieht sich der Helpdesk die Anfrage an und schickt einen Link an die Adresse des Kontos. Sie brauchen dann die PIN, die Sie eben gewählt haben; merken Sie sie sich.
    .title = Ihre Anfrage ist angekommen
received-self-service = Falls es ein Konto mit dieser Adresse gibt, ist eine E-Mail mit einem Link an die Adresse des Kontos unterwegs. Sie brauchen dann die PIN, die Sie eben gewählt haben. Ist nach zehn Minuten nichts da, sehen Sie im Ordner für unerwünschte Post nach und schreiben Sie dann an die Adresse unten.
    .title = Ihre Anfrage ist angekommen
missing-email = Bitte geben Sie Ihre E-Mail-Adresse ein.
emails-differ = Die beiden E-Mail-Adressen sind nicht gleich.
missing-pin = Bitte wählen Sie eine PIN.
trivial-pin = Diese PIN würde jeder unter den ersten erraten. Bitte wählen Sie eine andere.
unusable-pin = Bitte wählen Sie eine andere PIN: Sie hat { $shortest } bis { $longest } Ziffern und sonst nichts.

## Alles Übrige

not-found = Prüfen Sie die Adresse, oder öffnen Sie den Link aus der E-Mail noch einmal.
    .title = Diese Seite gibt es nicht
other-site = Zu Ihrer Sicherheit nimmt diese Seite nur an, was in sie selbst eingegeben wurde. Öffnen Sie den Link aus der E-Mail noch einmal.
    .title = Das kam von einer anderen Website
too-many-requests = Aus Ihrem Netz kamen in kurzer Zeit zu viele Anfragen. Bitte warten Sie eine Weile, höchstens eine Stunde, und versuchen Sie es dann noch einmal. An Ihrem Konto hat sich nichts geändert.
    .title = Bitte warten Sie eine Weile
too-many-today = Aus Ihrem Netz wurden innerhalb von 24 Stunden zu viele Links angefordert. Bitte versuchen Sie es morgen noch einmal, oder schreiben Sie an die Adresse unten. An Ihrem Konto hat sich nichts geändert.
    .title = Bitte kommen Sie morgen wieder
overloaded = Gerade fragen sehr viele an. Bitte versuchen Sie es in einer Minute noch einmal.
    .title = Bitte einen Moment Geduld
too-long = Was geschickt wurde, ist länger als alles, wonach diese Seite fragt.
    .title = Das war zu viel
too-slow = Was geschickt wurde, ist nicht rechtzeitig angekommen. Prüfen Sie Ihre Verbindung und öffnen Sie dann den Link aus der E-Mail noch einmal.
    .title = Das hat zu lange gedauert
failure = Es liegt nicht an Ihnen und wurde für die Betreiber festgehalten. Bitte versuchen Sie es später noch einmal.
    .title = Hier ist etwas schiefgegangen
