// Asks the device for a passkey and sends its answer with the page's own form. Nothing else here
// runs in a browser: no request of its own, no text of its own, no other site.
"use strict";
(() => {
  const form = document.querySelector("form[data-passkey]");
  if (!form) return;
  const button = form.querySelector("[data-ask]");
  const say = (name) => {
    for (const one of form.querySelectorAll("[data-said]")) one.hidden = one.dataset.said !== name;
  };
  if (!window.PublicKeyCredential) return;

  const bytes = (text) =>
    Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (one) => one.charCodeAt(0));
  const text = (buffer) =>
    btoa(String.fromCharCode(...new Uint8Array(buffer)))
      .replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
  const known = (list) => (list || []).map((one) => ({ ...one, id: bytes(one.id) }));

  const options = JSON.parse(form.dataset.options);
  options.challenge = bytes(options.challenge);
  if (options.user) options.user.id = bytes(options.user.id);
  options.allowCredentials = known(options.allowCredentials);
  options.excludeCredentials = known(options.excludeCredentials);

  const written = (credential) => {
    const given = credential.response;
    const response = { clientDataJSON: text(given.clientDataJSON) };
    for (const name of ["attestationObject", "authenticatorData", "signature", "userHandle"]) {
      if (given[name]) response[name] = text(given[name]);
    }
    if (given.getTransports) response.transports = given.getTransports();
    const { id, type } = credential;
    return JSON.stringify({ id, rawId: text(credential.rawId), type, response });
  };

  const ask = async () => {
    if (!form.reportValidity()) return;
    button.disabled = true;
    say("asking");
    try {
      const credential = await navigator.credentials[form.dataset.passkey]({ publicKey: options });
      form.elements.namedItem("credential").value = written(credential);
      form.submit();
    } catch (error) {
      button.disabled = false;
      say(error.name === "InvalidStateError" ? "known" : "cancelled");
    }
  };
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    ask();
  });
  say("");
  button.hidden = false;
  if ("now" in form.dataset) ask();
})();
