// Copies commands. Without scripts the buttons stay hidden, and all else works.
(() => {
  'use strict';
  const said = document.getElementById('said');
  const buttons = document.querySelectorAll('button.copy');
  const tell = (button, word, sentence) => {
    for (const other of buttons) other.textContent = 'Copy';
    button.textContent = word;
    said.textContent = sentence;
  };
  for (const button of buttons) {
    button.hidden = false;
    button.addEventListener('click', async () => {
      const code = button.previousElementSibling;
      try {
        await navigator.clipboard.writeText(code.textContent);
        tell(button, 'Copied', 'The command was copied.');
      } catch {
        // No clipboard, or no right to it: select it, so that one key copies.
        getSelection().selectAllChildren(code);
        tell(button, 'Selected', 'The command is selected: copy it with the keyboard.');
      }
    });
  }
})();
