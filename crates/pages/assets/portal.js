// Times in the viewer's zone, pages that update themselves, and the exchange of the code.
(() => {
  "use strict";

  const format = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });
  const localTimes = (root) => {
    for (const time of root.querySelectorAll("time[datetime]")) {
      const date = new Date(time.dateTime);
      if (!Number.isNaN(date.getTime())) time.textContent = format.format(date);
    }
  };
  localTimes(document);

  // A part of a page that changes by itself has `data-live`: the seconds between two looks.
  const watch = (left) => {
    const part = document.querySelector("[data-live]");
    const seconds = Number(part && part.dataset.live);
    if (!(seconds > 0) || left === 0) return;
    setTimeout(async () => {
      try {
        if (!document.hidden) {
          const answer = await fetch(location.href, { credentials: "same-origin" });
          if (!answer.ok || answer.redirected) return;
          const page = new DOMParser().parseFromString(await answer.text(), "text/html");
          const next = page.getElementById(part.id);
          if (!next) return;
          localTimes(next);
          part.replaceWith(document.adoptNode(next));
        }
      } catch {
        // The connection may come back.
      }
      watch(left - 1);
    }, seconds * 1000);
  };
  watch(600);

  // The code stands in the fragment, which no server sees. It leaves the address bar before it is
  // sent.
  const enter = document.getElementById("enter");
  const form = enter ?? document.getElementById("contact");
  if (form) {
    const code = new URLSearchParams(location.hash.slice(1)).get("code");
    history.replaceState(null, "", location.pathname);
    const missing = document.getElementById("no-code");
    if (code) {
      form.elements.namedItem("code").value = code;
      // The confirmation of a contact waits for its button.
      if (enter) enter.requestSubmit();
    } else {
      missing.hidden = false;
    }
  }
})();
