#!/usr/bin/env python3
"""Walks bookings in a real browser: the guest's status page and the provider's pages, as a guest sees them.

With `cargo xtask up` running, and Chromium installed (`apt-get install chromium`):

    tests/browser/walk.py --to /tmp/pages              # every story but the last
    tests/browser/walk.py --to /tmp/pages hold         # the last, with the short hold of: cargo xtask up --hold 30s

What has no page, such as signing up, goes through the API; the links of mails are those of the mails that `up` wrote. Links to
the website, which is not part of this repository, are followed as the website does: with what they have in their fragment.

Each step waits for the heading that must come, and leaves a screenshot to be looked at, in both colour schemes. What the
browser complains of, such as a breach of the page's policy, ends the walk with status 1. With `--axe package/axe.min.js`
(`npm pack axe-core && tar xf axe-core-*.tgz`), a breach of WCAG 2.2 AA that axe-core finds on any page and in either scheme
ends it, too. Not part of the tests: those need no browser.
"""

import argparse, base64, contextlib, datetime, email, email.policy, fcntl, json, os, pathlib, subprocess, tempfile, time, urllib.error, urllib.parse, urllib.request, uuid

LIMIT = 30  # seconds for anything to happen
LONGEST_HOLD = 120  # seconds that the story of a hold waits for its end
PHONE, DESK = (390, 844), (900, 900)
AXE = """axe.run(document, {runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']}).then(result =>
    JSON.stringify(result.violations.map(rule => rule.impact + ' ' + rule.id + ': ' +
        rule.nodes.map(node => node.target + ' ' + node.failureSummary).join('; '))))"""


class Browser:
    """A headless Chromium, spoken to through the pipe it offers for that: JSON, each message ended by a zero byte."""

    def __init__(self, program, profile):
        (to_read, self.to), (self.answers, from_write) = os.pipe(), os.pipe()
        # Out of the way of 3 and 4, where the browser expects its ends of the pipes.
        ends = [fcntl.fcntl(end, fcntl.F_DUPFD, 10) for end in (to_read, from_write)]
        command = [program, "--headless", "--no-sandbox", "--disable-gpu", "--remote-debugging-pipe", f"--user-data-dir={profile}"]
        self.process = subprocess.Popen(
            command, pass_fds=(3, 4), stderr=subprocess.DEVNULL,
            preexec_fn=lambda: [os.dup2(end, wanted) for end, wanted in zip(ends, (3, 4))],
        )
        self.number, self.buffer, self.complaints, self.session = 0, b"", [], None
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Log", "Runtime", "Network"):
            self.call(f"{domain}.enable")

    def call(self, method, **params):
        self.number += 1
        message = {"id": self.number, "method": method, "params": params}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.to, json.dumps(message).encode() + b"\0")
        while True:
            while b"\0" not in self.buffer:
                self.buffer += os.read(self.answers, 1 << 16) or exit("the browser has ended")
            text, self.buffer = self.buffer.split(b"\0", 1)
            answer = json.loads(text)
            if answer.get("method") == "Log.entryAdded" and "favicon" not in json.dumps(answer):
                self.complaints.append(answer["params"]["entry"]["text"])
            if answer.get("id") == self.number:
                return answer.get("result", {})

    def ask(self, expression, wait=False):
        return self.call("Runtime.evaluate", expression=expression, awaitPromise=wait).get("result", {}).get("value")

    def prefers(self, scheme):
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])

    def accepts(self, languages):
        self.call("Network.setExtraHTTPHeaders", headers={"accept-language": languages})

    def breaches(self, axe):
        """What axe-core finds on this page: the rule, and where."""
        self.ask(axe)
        found = self.ask(AXE, wait=True)
        assert found, "axe-core gave no answer"
        return json.loads(found)

    def go(self, url):
        self.call("Page.navigate", url=url)

    def press(self, selector):
        assert self.ask(f"!!document.querySelector({json.dumps(selector)})"), f"nothing is at {selector}"
        self.ask(f"document.querySelector({json.dumps(selector)}).click()")

    def size(self, size):
        width, height = size
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=size == PHONE)

    def heading(self):
        return self.ask("document.readyState == 'complete' ? document.querySelector('h1')?.innerText : null")

    def text(self):
        return self.ask("document.body.innerText") or ""


class Guest:
    """A new account, or an address without one, and its bookings through the API."""

    def __init__(self, gateway, mails, has_account=True):
        self.gateway, self.mails, self.token = gateway, mails, None
        self.address, self.password = f"guest-{uuid.uuid4().hex}@staymesh.example", uuid.uuid4().hex
        if has_account:
            self.call("POST", "/v1/users", {"email": self.address, "password": self.password, "language": "de"})
            self.log_in()
        else:
            session = {"email": self.address, "language": "pt", "request_id": str(uuid.uuid4())}
            self.token = self.call("POST", "/v1/auth/guestSessions", session)["access_token"]

    def log_in(self):
        self.token = self.call("POST", "/v1/auth/login", {"email": self.address, "password": self.password})["access_token"]

    def link(self, path, kind=""):
        """What the link to this page of the site has in its fragment, in a mail of this kind. Waits for the mail."""
        deadline = time.monotonic() + LIMIT
        while time.monotonic() < deadline:
            for file in self.mails.glob(f"{kind}*.eml"):
                mail = email.message_from_bytes(file.read_bytes(), policy=email.policy.default)
                words = mail.get_content().split() if mail["to"] == self.address else []
                for word in (word for word in words if f"{path}#" in word):
                    return dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(word).fragment))
            time.sleep(0.05)
        exit(f"no mail {kind} with a link to {path}")

    def follow(self, link):
        """Exchanges the key of a booking's link, as the website does; no other access is left."""
        self.token = None
        self.token = self.call("POST", "/v1/auth/guestAccess", {"key": link["key"]})["access_token"]
        return self.call("GET", f"/v1/reservations/{link['reservation']}")

    def refused(self, verb, path, body=None):
        """The HTTP status with which a request is refused."""
        try:
            self.call(verb, path, body)
        except urllib.error.HTTPError as refusal:
            return refusal.code
        exit(f"{verb} {path} was not refused")

    def call(self, verb, path, body=None):
        request = urllib.request.Request(self.gateway + path, method=verb, data=None if body is None else json.dumps(body).encode())
        request.add_header("content-type", "application/json")
        if self.token:
            request.add_header("authorization", f"Bearer {self.token}")
        with urllib.request.urlopen(request, timeout=LIMIT) as answer:
            return json.load(answer)

    def book(self):
        """A room for three nights in a month, and the payment that was begun for it."""
        first = datetime.date.today() + datetime.timedelta(days=30)
        stay = {"check_in": str(first), "check_out": str(first + datetime.timedelta(days=3))}
        hotel = self.call("GET", "/v1/hotels")["hotels"][0]["hotel_id"]
        query = f"check_in={stay['check_in']}&check_out={stay['check_out']}&occupancies=2"
        offer = self.call("GET", f"/v1/hotels/{hotel}/offers?{query}")["offers"][0]
        wish = {"hotel_id": hotel, "rooms": [{"room_type_id": offer["room_type_id"], "adults": 2}], **stay}
        form = self.call("POST", "/v1/reservations:prepare", wish)
        booking = {"reservation_id": form["reservation_id"], "offer_token": form["offer_token"]}
        booking["primary_guest"] = {"full_name": "A guest", "email": self.address}
        self.call("POST", "/v1/reservations", booking)
        return self.call("POST", "/v1/payments", {"reservation_id": form["reservation_id"]})

    def cancel(self, payment):
        self.call("DELETE", f"/v1/reservations/{payment['reservation_id']}")


class Walk:
    """One story: where the browser is led, and what must be seen."""

    def __init__(self, browser, guest, folder, story, axe):
        self.browser, self.folder, self.story, self.step, self.axe = browser, folder, story, 0, axe
        self.guest, self.payment = guest, guest.book()
        self.link = guest.call("GET", f"/v1/payments/{self.payment['payment_id']}/statusLink")["url"]

    def sees(self, heading, *texts, limit=LIMIT):
        deadline = time.monotonic() + limit
        while not (self.browser.heading() == heading and all(text in self.browser.text() for text in texts)):
            if time.monotonic() > deadline:
                exit(f"{self.story}: not {heading!r} with {texts}, but: {self.browser.text()}")
            time.sleep(0.05)
        self.step += 1
        name = f"{self.story}-{self.step:02}-{heading.lower().replace(' ', '-').replace(':', '')}"
        for scheme in ("dark", "light"):
            self.browser.prefers(scheme)
            picture = self.browser.call("Page.captureScreenshot", captureBeyondViewport=True)["data"]
            (self.folder / f"{name}-{scheme}.png").write_bytes(base64.b64decode(picture))
            breaches = self.browser.breaches(self.axe) if self.axe else []
            if breaches:
                exit(f"{name} {scheme}: " + "\n    ".join(breaches))
        overflow = self.browser.ask("document.documentElement.scrollWidth > document.documentElement.clientWidth")
        assert not overflow, f"{name} is wider than the screen"
        print(f"{name}\n    " + " | ".join(line for line in self.browser.text().splitlines() if line.strip()))

    def status(self):
        self.browser.go(self.link)

    def checkout(self):
        self.status()
        self.sees("Waiting for your payment", "The rooms are held for you until")
        self.browser.press("a.pay")
        self.sees("Checkout")

    def card(self, number):
        self.browser.ask(f"document.querySelector('#card_number').value = '{number}'")
        self.browser.press("button.primary")

    def back(self):
        self.browser.press("a[rel=noreferrer]")


def account(walk):
    """An address is confirmed with the mailed link; a forgotten password is replaced, and the old one is refused."""
    guest = walk.guest
    assert not guest.call("GET", "/v1/users/me").get("email_verified_time")
    guest.call("POST", "/v1/users:confirmEmail", {"token": guest.link("/account/confirm")["token"]})
    assert guest.call("GET", "/v1/users/me")["email_verified_time"]
    guest.call("POST", "/v1/users:requestPasswordReset", {"email": guest.address})
    link, old, guest.password = guest.link("/account/reset"), guest.password, uuid.uuid4().hex
    assert link["lang"] == "de", link
    guest.call("POST", "/v1/users:resetPassword", {"token": link["token"], "new_password": guest.password})
    guest.log_in()
    assert guest.refused("POST", "/v1/auth/login", {"email": guest.address, "password": old}) == 401
    walk.status()
    walk.sees("Waiting for your payment")


def without_account(walk):
    """A guest without an account books and pays in Portuguese, comes back with the mailed link, and cancels."""
    walk.browser.accepts("pt-BR, en;q=0.5")
    walk.status()
    walk.sees("À espera do seu pagamento")
    walk.browser.press("a.pay")
    walk.sees("Pagamento", "Número do cartão")
    walk.card("4242 4242 4242 4242")
    walk.sees("Pago")
    walk.back()
    walk.sees("Pago e confirmado")
    booked, guest = walk.payment["reservation_id"], walk.guest
    link = guest.link("/booking", "booking-confirmed")
    assert (link["reservation"], link["lang"]) == (booked, "pt"), link
    assert guest.follow(link)["status"] == "RESERVATION_STATUS_PAID"
    assert guest.call("GET", "/v1/users/me")["email_verified_time"], "who opens the link has the address"
    # The page again, at the address that the key gives access to.
    walk.link = guest.call("GET", f"/v1/payments/{walk.payment['payment_id']}/statusLink")["url"]
    walk.status()
    walk.sees("Pago e confirmado")
    guest.cancel(walk.payment)
    walk.status()
    walk.sees("Cancelada", "foi-lhe devolvido")
    assert guest.follow(guest.link("/booking", "booking-cancelled"))["reservation_id"] == booked
    guest.call("POST", "/v1/auth/logoutEverywhere", {})
    assert guest.refused("POST", "/v1/auth/guestAccess", {"key": link["key"]}) == 400
    walk.browser.accepts("en")


def checkout(walk):
    """The provider's page in the browser's language, and in one that the guest chooses and keeps."""
    walk.browser.accepts("fr")
    walk.browser.go(walk.payment["checkout_url"])
    walk.sees("Paiement", "Temps restant")
    for language, heading in (("es", "Pago"), ("pt", "Pagamento"), ("de", "Zahlung")):
        walk.browser.press(f"nav a[lang={language}]")
        walk.sees(heading)
    walk.card("1234")
    walk.sees("Zahlung", "Das ist keine Testkarte")
    walk.card("4000 0000 0000 0069")
    walk.sees("Abgelehnt: bitte noch einmal", "Sie ist abgelaufen", "4 Versuche")
    walk.card("4000 0000 0000 3220")
    walk.sees("Bei Ihrer Bank bestätigen")
    walk.browser.press("button[value=approve]")
    walk.sees("Bezahlt")
    walk.browser.go(walk.payment["checkout_url"] + "x")
    walk.sees("Paiement", "n’existe pas")
    walk.browser.accepts("en")


def paid(walk):
    """Declined, tried again with a card whose bank asks, paid; later cancelled and paid back."""
    walk.browser.size(DESK)
    walk.checkout()
    walk.card("4000 0000 0000 9995")
    walk.sees("Declined: try again")
    walk.status()
    walk.sees("Your card was declined", "Nothing was charged with it", "try again")
    walk.browser.press("a.pay")
    walk.sees("Declined: try again")
    walk.card("4000 0000 0000 3220")
    walk.sees("Confirm with your bank")
    walk.browser.press("button[value=approve]")
    walk.sees("Paid")
    walk.back()
    walk.sees("Paid and confirmed", "the rooms are yours")


def refunded(walk):
    """Paid at once, then cancelled: the money goes back."""
    walk.checkout()
    walk.card("4242 4242 4242 4242")
    walk.sees("Paid")
    walk.back()
    walk.sees("Paid and confirmed")
    walk.guest.cancel(walk.payment)
    walk.status()
    walk.sees("Cancelled", "You had paid")
    walk.sees("Cancelled", "has been sent back to you")


def reviewed(walk):
    """Reviewed by the provider, who takes time, and approves."""
    walk.checkout()
    walk.card("4000 0000 0000 9235")
    walk.sees("In review")
    review = walk.browser.ask("location.href")
    walk.back()
    walk.sees("Your payment is being checked", "must not pay again", "The rooms are held for you until")
    walk.browser.go(review)
    walk.sees("In review")
    walk.browser.press("summary")
    walk.browser.press("button[value=approve]")
    walk.sees("Paid")
    walk.back()
    walk.sees("Paid and confirmed")


def refused(walk):
    """Declined for good."""
    walk.checkout()
    walk.card("4000 0000 0000 0002")
    walk.sees("Declined")
    walk.back()
    walk.sees("The payment was declined", "Nothing was charged", "The rooms are free again")


def cancelled(walk):
    """Cancelled before anything was paid."""
    walk.status()
    walk.sees("Waiting for your payment")
    walk.guest.cancel(walk.payment)
    walk.status()
    walk.sees("Cancelled", "Nothing was charged")


def forged(walk):
    """An address that nobody gave out, and a real one with what networks add to links."""
    walk.browser.go(walk.link[:-1])
    walk.sees("Not found", "There is no such page.")
    walk.browser.go(walk.link + "&fbclid=x")
    walk.sees("Waiting for your payment")


def languages(walk):
    """The browser's language, and another that the guest chooses."""
    walk.browser.accepts("de-AT, en;q=0.5")
    walk.status()
    walk.sees("Wir warten auf Ihre Zahlung", "Ihr Aufenthalt", "Die Zimmer sind bis")
    for language, heading in (
        ("pt", "À espera do seu pagamento"),
        ("es", "A la espera de su pago"),
        ("fr", "En attente de votre paiement"),
        ("en", "Waiting for your payment"),
    ):
        walk.browser.press(f"nav a[lang={language}]")
        walk.sees(heading)
    walk.browser.go(walk.link[:-1])
    walk.sees("Nicht gefunden")
    walk.browser.accepts("en")


def reading(walk):
    """A change appears on the page while the guest reads it, without a reload, and the focus stays where it is."""
    walk.status()
    walk.sees("Waiting for your payment")
    walk.browser.ask("window.kept = true, document.querySelector('nav a').focus()")
    walk.guest.cancel(walk.payment)
    walk.sees("Cancelled")
    assert walk.browser.ask("window.kept"), "the page was loaded again"
    assert walk.browser.ask("document.activeElement.matches('nav a')"), "the focus was lost"


def hold(walk):
    """The hold expires without payment while the guest reads the page; in German, too."""
    booked = walk.guest.call("GET", f"/v1/reservations/{walk.payment['reservation_id']}")
    end = datetime.datetime.fromisoformat(booked["hold_expire_time"])
    left = (end - datetime.datetime.now(datetime.timezone.utc)).total_seconds()
    if left > LONGEST_HOLD:
        exit(f"the hold lasts {left:.0f} s more: start with cargo xtask up --hold 30s")
    walk.status()
    walk.sees("Waiting for your payment", "The rooms are held for you until")
    walk.browser.ask("window.kept = true")
    walk.sees("The hold has ended", "Nothing was charged", limit=left + LIMIT)
    assert walk.browser.ask("window.kept"), "the page was loaded again"
    walk.browser.go(walk.payment["checkout_url"])
    walk.sees("Expired")
    walk.browser.accepts("de")
    walk.status()
    walk.sees("Die Vormerkung ist abgelaufen")
    walk.browser.accepts("en")


STORIES = {story.__name__: story for story in (account, without_account, checkout, paid, refunded, reviewed, refused, cancelled,
                                               forged, languages, reading, hold)}


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("stories", nargs="*", default=[name for name in STORIES if name != "hold"], metavar="STORY",
                         help=", ".join(STORIES))
    options.add_argument("--to", required=True, type=pathlib.Path, help="the folder for the screenshots")
    options.add_argument("--gateway", default="http://127.0.0.1:8080", help="the public gateway")
    options.add_argument("--mails", type=pathlib.Path, default=pathlib.Path(".dev/run/mails"), help="the folder of mails")
    options.add_argument("--chromium", default="chromium", help="the browser")
    options.add_argument("--axe", type=pathlib.Path, help="axe.min.js of axe-core, to check each page with")
    given = options.parse_args()
    axe = given.axe and given.axe.read_text() + ";0"
    given.to.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as stack:
        profile = stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True))
        browser = Browser(given.chromium, profile)
        stack.callback(lambda: (browser.process.terminate(), browser.process.wait()))
        steps = 0
        for name in given.stories:
            browser.size(PHONE)
            guest = Guest(given.gateway, given.mails, has_account=name != "without_account")
            walk = Walk(browser, guest, given.to, name, axe)
            STORIES[name](walk)
            steps += walk.step
            # A page with the status of an error is one all the same: 402 for a card that was declined, 404, 410.
            complaints = [text for text in browser.complaints if not text.startswith("Failed to load resource")]
            assert not complaints, complaints
            browser.complaints.clear()
        checked = ", and axe-core found nothing" if axe else ""
        print(f"{len(given.stories)} stories, {steps} steps, each in two colour schemes{checked}")


if __name__ == "__main__":
    main()
