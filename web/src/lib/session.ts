import { Store } from './store'

const storageKey = 'strata.key'

export interface Session {
  key: string
  remembered: boolean
}

/** A storage that says no (private windows, policies) only costs the memory of the key. */
function quietly<T>(run: () => T): T | undefined {
  try {
    return run()
  } catch {
    return undefined
  }
}

function load(): Session | undefined {
  const kept = quietly(() => localStorage.getItem(storageKey))
  if (kept) return { key: kept, remembered: true }
  const key = quietly(() => sessionStorage.getItem(storageKey))
  return key ? { key, remembered: false } : undefined
}

/** The key this browser works with; undefined when signed out. */
export const session = new Store<Session | undefined>(load())

/** Why the last session ended, if the server ended it. */
export const signedOutBecause = new Store<string>('')

export function signIn(key: string, remember: boolean): void {
  quietly(() => (remember ? localStorage : sessionStorage).setItem(storageKey, key))
  signedOutBecause.set('')
  session.set({ key, remembered: remember })
}

export function signOut(because = ''): void {
  quietly(() => localStorage.removeItem(storageKey))
  quietly(() => sessionStorage.removeItem(storageKey))
  signedOutBecause.set(because)
  session.set(undefined)
}
