import type { Readiness } from './types'

/** Reads /readyz, which says the same whether it answers 200 or 503. */
export async function readiness(base: string, signal: AbortSignal): Promise<Readiness> {
  const response = await fetch(`${base}/readyz`, { signal, headers: { Accept: 'application/json' } })
  return (await response.json()) as Readiness
}
