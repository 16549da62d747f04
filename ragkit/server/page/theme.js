/** The colour scheme: the system's, or the one that was chosen. */

const STORED = "ragkit-theme";
const CHOICES = ["auto", "light", "dark"];
const NAMES = { auto: "Colours: system", light: "Colours: light", dark: "Colours: dark" };

function chosen() {
  const stored = localStorage.getItem(STORED);
  return CHOICES.includes(stored) ? stored : "auto";
}

function apply(choice) {
  if (choice === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = choice;
}

/** Let a button go through the choices. */
export function themeSwitch(button) {
  const show = () => { button.textContent = NAMES[chosen()]; };
  button.addEventListener("click", () => {
    const next = CHOICES[(CHOICES.indexOf(chosen()) + 1) % CHOICES.length];
    localStorage.setItem(STORED, next);
    apply(next);
    show();
  });
  show();
}

apply(chosen());
