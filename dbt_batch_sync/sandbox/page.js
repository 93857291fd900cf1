// Looks again every two seconds, unless somebody is marking text or the page is not in sight. A part that has not
// changed is left alone: it keeps its scroll position.
const state = document.getElementById('state');
async function look() {
  if (document.hidden || !getSelection().isCollapsed) return;
  try {
    const answer = await fetch(location.href);
    if (!answer.ok) throw new Error(answer.status);
    const fresh = new DOMParser().parseFromString(await answer.text(), 'text/html');
    for (const part of document.querySelectorAll('[data-live]')) {
      const now = fresh.getElementById(part.id);
      if (now && now.innerHTML !== part.innerHTML) part.replaceWith(now);
    }
    state.textContent = 'live';
  } catch {
    state.textContent = 'the sandbox does not answer';
  }
}
setInterval(look, 2000);

// Lists are separated by blanks. An id with a blank in it can be given to POST /_sandbox/settings.
const settings = document.getElementById('settings');
settings.addEventListener('submit', async event => {
  event.preventDefault();
  const {rate_limits, latency, reject_ids, reject_attributes} = settings.elements;
  const words = field => field.value.split(/\s+/).filter(Boolean);
  const answer = await fetch('/_sandbox/settings', {
    method: 'POST',
    headers: {'Content-Type': 'application/json'},
    body: JSON.stringify({
      rate_limits: rate_limits.checked,
      latency: Number(latency.value),
      reject_ids: words(reject_ids),
      reject_attributes: words(reject_attributes),
    }),
  });
  document.getElementById('applied').textContent = answer.ok ? 'applied' : (await answer.json()).error_message;
});
