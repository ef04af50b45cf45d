// What the form for a password can do besides where scripts run: show what is typed, tell how easily a
// password is guessed, and whether both are the same. All of it happens in the browser; nothing is sent
// before the form is. Without this script the form works as well.
"use strict";

(() => {
  const byId = (id) => document.getElementById(id);
  const [form, pin, password, confirmation] = [
    document.querySelector("form"), byId("pin"), byId("password"), byId("confirm_password"),
  ];
  const [show, showPasswords, strength, differs] = [
    byId("show"), byId("show-passwords"), byId("strength"), byId("differs"),
  ];
  if (!form || !password || !confirmation) return;

  // Showing what is typed. Hidden again when it is sent, so that no browser keeps it as an ordinary word.
  const setVisible = (visible) => {
    for (const field of [password, confirmation]) field.type = visible ? "text" : "password";
  };
  show.hidden = false;
  showPasswords.checked = false;
  showPasswords.addEventListener("change", () => setVisible(showPasswords.checked));
  form.addEventListener("submit", () => setVisible(false));
  window.addEventListener("pageshow", () => setVisible(showPasswords.checked));

  // Texts are read out when they change, so they change only once typing pauses. Their places are there from the
  // beginning: what appears only together with its text is not read out, and would push the button away from
  // somebody who is about to press it.
  strength.hidden = differs.hidden = false;
  const say = (place, words) => {
    if (place.textContent !== words) place.textContent = words;
  };
  const whenTypingPauses = (action) => {
    let timer;
    return () => {
      clearTimeout(timer);
      timer = setTimeout(action, 300);
    };
  };

  // Both the same? Said once the second has been left, and then while it is mended.
  const compare = () => {
    const areDifferent = confirmation.value !== "" && confirmation.value !== password.value;
    say(differs, areDifferent ? differs.dataset.words : "");
  };
  confirmation.addEventListener("change", compare);
  for (const field of [password, confirmation]) {
    field.addEventListener("input", () => {
      if (differs.textContent !== "") compare();
    });
  }

  // How easily guessed? The estimator is large, and fetched when a password is about to be typed.
  let estimator;
  const fetchScript = (source) => new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = source;
    script.addEventListener("load", resolve);
    script.addEventListener("error", reject);
    document.head.append(script);
  });
  const fetchEstimator = () => {
    estimator ??= Promise.all([strength.dataset.estimator, strength.dataset.common].map(fetchScript)).then(() => {
      const { core, "language-common": common } = window.zxcvbnts;
      return new core.ZxcvbnFactory({ dictionary: common.dictionary, graphs: common.adjacencyGraphs });
    });
    return estimator;
  };
  const estimate = () => {
    fetchEstimator().then((zxcvbn) => {
      if (password.value === "") {
        delete strength.dataset.score;
        return say(strength, "");
      }
      const known = [pin.value, strength.dataset.site, ...strength.dataset.site.split(/\s+/)].filter((word) => word !== "");
      // Beyond this length guessing is out of the question, and estimating takes long.
      const { score } = zxcvbn.check(password.value.slice(0, 100), known);
      strength.dataset.score = score;
      say(strength, strength.getAttribute(`data-words-${score}`));
    // Without the estimator there is no hint, and the form works.
    }).catch(() => say(strength, ""));
  };
  password.addEventListener("focus", () => fetchEstimator().catch(() => {}));
  for (const field of [password, pin]) field.addEventListener("input", whenTypingPauses(estimate));
})();
