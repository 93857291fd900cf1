// Looks again every two seconds, unless somebody is marking text or the page is not in sight. A part that has not
// changed is left alone: it keeps its scroll position. In a keyed list an entry that was shown stays as it is.
const state = document.getElementById('state');
const parsed = async url => {
  const answer = await fetch(url);
  if (!answer.ok) throw new Error(answer.status);
  return new DOMParser().parseFromString(await answer.text(), 'text/html');
};

function refresh(part, fresh) {
  if (!('keyed' in part.dataset)) {
    if (fresh.innerHTML === part.innerHTML) return;
    const scrolled = part.scrollLeft;
    part.replaceWith(fresh);
    fresh.scrollLeft = scrolled;
    return;
  }
  let place = part.firstElementChild;
  for (const entry of [...fresh.children]) {
    const shown = entry.id && document.getElementById(entry.id);
    if (shown && shown === place) place = place.nextElementSibling;
    else part.insertBefore(shown || entry, place);
  }
  while (place) {
    const next = place.nextElementSibling;
    place.remove();
    place = next;
  }
}

document.querySelector('[aria-current]').scrollIntoView({block: 'nearest', inline: 'center'});

let looking = false;
async function look() {
  if (looking || document.hidden || !getSelection().isCollapsed) return;
  looking = true;
  try {
    const fresh = await parsed(location.href);
    for (const part of document.querySelectorAll('[data-live]')) {
      const now = fresh.getElementById(part.id);
      if (now) refresh(part, now);
    }
    state.textContent = 'live';
    state.classList.remove('lost');
  } catch {
    state.textContent = 'the sandbox does not answer';
    state.classList.add('lost');
  } finally {
    looking = false;
  }
}
setInterval(look, 2000);

// The body and the answer of a request are fetched when it is unfolded.
document.addEventListener('toggle', async event => {
  const request = event.target;
  if (!request.open || !request.dataset.number || request.querySelector('pre')) return;
  const shown = await parsed('/?view=requests&request=' + request.dataset.number);
  const found = shown.getElementById(request.id);
  request.querySelector('.bodies').innerHTML = found ? found.querySelector('.bodies').innerHTML : 'No longer kept';
}, true);

const send = async (method, url, body) => {
  const answer = await fetch(url, {method, headers: {'Content-Type': 'application/json'}, body});
  return answer.ok ? '' : (await answer.json()).error_message;
};

// A profile is changed by hand. Numbers go as they were typed: a 64 bit integer would not survive a conversion.
const edit = document.getElementById('edit');
if (edit) {
  const {name, type, value} = edit.elements;
  const written = {
    integer: text => text,
    float: text => /^-?\d+$/.test(text) ? text + '.0' : text,
    boolean: text => text.toLowerCase(),
    string_array: text => JSON.stringify(text.split(',').map(item => item.trim()).filter(Boolean)),
  };
  const say = text => { edit.querySelector('.said').textContent = text; };
  const url = '/_sandbox/profiles/' + encodeURIComponent(edit.dataset.profile);
  const save = async (key, json) => {
    const wrong = await send('POST', url, `{${JSON.stringify(key)}: ${json}}`);
    say(wrong || 'Saved');
    await look();
  };
  edit.addEventListener('submit', event => {
    event.preventDefault();
    const key = ['date', 'url'].includes(type.value) ? `${type.value}(${name.value})` : name.value;
    save(key, (written[type.value] || JSON.stringify)(value.value));
  });
  document.addEventListener('click', async event => {
    const {edit: chosen, remove, type: kind, value: text} = event.target.dataset || {};
    if (chosen) {
      [name.value, type.value, value.value] = [chosen, kind, text];
      value.focus();
    } else if (remove) {
      save(remove, 'null');
    } else if ('erase' in event.target.dataset) {
      say(await send('DELETE', url) || 'Deleted');
      await look();
    }
  });
}

// Lists are separated by blanks. An id with a blank in it can be given to POST /_sandbox/settings.
const settings = document.getElementById('settings');
if (settings) {
  const say = text => { document.getElementById('applied').textContent = text; };
  const read = {
    switch: field => field.checked,
    number: field => field.value === '' ? null : Number(field.value),
    texts: field => field.value.split(/\s+/).filter(Boolean),
  };
  settings.addEventListener('submit', async event => {
    event.preventDefault();
    const fields = [...settings.elements].filter(field => field.dataset.kind);
    const chosen = fields.map(field => [field.name, (read[field.dataset.kind] || (each => each.value))(field)]);
    const body = JSON.stringify(Object.fromEntries(chosen));
    say(await send('POST', '/_sandbox/settings', body) || 'Applied');
  });
  settings.querySelector('[data-reset]').addEventListener('click', async () => {
    say(await send('POST', '/_sandbox/reset', '{}') || 'Forgotten');
    await look();
  });
}
