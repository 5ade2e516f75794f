import { Store } from './store'

export type ThemeChoice = 'light' | 'dark' | 'system'

const storageKey = 'strata.theme'
const media = window.matchMedia('(prefers-color-scheme: dark)')

function load(): ThemeChoice {
  try {
    const kept = localStorage.getItem(storageKey)
    return kept === 'light' || kept === 'dark' ? kept : 'system'
  } catch {
    return 'system'
  }
}

/** What was chosen. */
export const themeChoice = new Store<ThemeChoice>(load())

/** What is shown. It changes only after the page has its new colours, so that canvases can read them. */
export const shownTheme = new Store<'light' | 'dark'>(
  document.documentElement.dataset.theme === 'dark' ? 'dark' : 'light',
)

function apply(): void {
  const choice = themeChoice.get()
  const dark = choice === 'dark' || (choice === 'system' && media.matches)
  document.documentElement.dataset.theme = dark ? 'dark' : 'light'
  shownTheme.set(dark ? 'dark' : 'light')
}

export function chooseTheme(choice: ThemeChoice): void {
  try {
    localStorage.setItem(storageKey, choice)
  } catch {
    // Without storage the choice lasts as long as the page.
  }
  themeChoice.set(choice)
  apply()
}

/** Applies the choice and follows the system from now on. */
export function startTheme(): void {
  apply()
  media.addEventListener('change', apply)
}
