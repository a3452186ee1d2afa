(() => {
  const seconds = Number(document.body.dataset.refresh);
  let timer;
  const look = async () => {
    if (document.hidden) return;
    try {
      const answer = await fetch(location.href, { cache: "no-store", referrerPolicy: "no-referrer" });
      if (!answer.ok) return;
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
      for (const part of document.querySelectorAll("[data-part]")) {
        const next = fresh.getElementById(part.id);
        if (!next || next.innerHTML === part.innerHTML) continue;
        const focused = part.contains(document.activeElement);
        part.className = next.className;
        part.replaceChildren(...next.childNodes);
        if (focused) document.querySelector("h1").focus();
      }
      document.title = fresh.title;
      if (!fresh.body.dataset.refresh) clearInterval(timer);
    } catch (error) {
      // The next look tries again.
    }
  };
  if (seconds > 0) timer = setInterval(look, seconds * 1000);
})();
