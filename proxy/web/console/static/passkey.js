// Asks a passkey: a form with data-passkey ("get" or "create") is sent once the passkey's answer stands in its field.
"use strict";
(() => {
  const text = (bytes) => {
    const letters = Array.from(new Uint8Array(bytes), (each) => String.fromCharCode(each)).join("");
    return btoa(letters).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
  };
  const bytes = (encoded) => Uint8Array.from(atob(encoded.replaceAll("-", "+").replaceAll("_", "/")), (each) => each.charCodeAt(0));
  const credentials = (list) => (list || []).map((each) => ({ ...each, id: bytes(each.id) }));

  const options = (said) => ({
    ...said,
    challenge: bytes(said.challenge),
    ...(said.user && { user: { ...said.user, id: bytes(said.user.id) } }),
    ...(said.allowCredentials && { allowCredentials: credentials(said.allowCredentials) }),
    ...(said.excludeCredentials && { excludeCredentials: credentials(said.excludeCredentials) }),
  });

  const answer = (credential) => {
    const response = {};
    for (const name of ["clientDataJSON", "attestationObject", "authenticatorData", "signature", "userHandle"]) {
      if (credential.response[name]) response[name] = text(credential.response[name]);
    }
    return text(new TextEncoder().encode(JSON.stringify({ id: credential.id, rawId: text(credential.rawId), type: credential.type, response })));
  };

  const troubles = {
    NotAllowedError: "The passkey did not answer, or it was canceled. Nothing was done. Try again.",
    InvalidStateError: "This passkey is registered already. Use another one.",
    SecurityError: "This page is not where your passkeys belong. Open the console by its own address.",
    NotSupportedError: "This device has no passkey of a kind that is taken here.",
  };

  const ask = async (form) => {
    const button = form.querySelector("button");
    const said = form.querySelector("[role=alert]");
    button.setAttribute("aria-busy", "true");
    button.disabled = true;
    said.textContent = "";
    try {
      const publicKey = options(JSON.parse(form.dataset.options));
      const credential = await navigator.credentials[form.dataset.passkey]({ publicKey });
      form.elements[form.dataset.field].value = answer(credential);
      form.submit();
    } catch (error) {
      said.textContent = troubles[error.name] || "The passkey could not be asked. Nothing was done. Try again.";
      button.removeAttribute("aria-busy");
      button.disabled = false;
      button.focus();
    }
  };

  for (const form of document.querySelectorAll("form[data-passkey]")) {
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      if (window.PublicKeyCredential) ask(form);
      else form.querySelector("[role=alert]").textContent = "This browser knows no passkeys. Use another one. Nothing was done.";
    });
  }
})();
