// The dialog of the page: at most one is open.

import { byId, h } from './dom.js';

export const isDialogOpen = () => byId('dialog').open;

export const closeDialog = () => byId('dialog').close();

export function showDialog(...content) {
  byId('dialog').replaceChildren(...content);
  byId('dialog').showModal();
}

export const dialogButtons = (...buttons) => h('div', { class: 'buttons' }, buttons);

// Whether the viewer confirms the question with the button `label`.
export function confirmAction(question, label, danger) {
  return new Promise((resolve) => {
    const answer = (confirmed) => () => {
      closeDialog();
      resolve(confirmed);
    };
    const cancel = h('button', { type: 'button', onclick: answer(false) }, 'Cancel');
    const confirm = h('button', { type: 'button', class: danger ? 'bad' : '', onclick: answer(true) }, label);
    // The Escape key.
    byId('dialog').oncancel = answer(false);
    showDialog(h('p', {}, question), dialogButtons(cancel, confirm));
  });
}
