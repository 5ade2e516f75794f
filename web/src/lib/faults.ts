import { ApiError } from './api/client'

/** Faults by field in our spelling, whatever the server's. */
export function faultsOf(error: unknown): Record<string, string> {
  if (!(error instanceof ApiError)) return {}
  const camel = (name: string) => name.replace(/^body\./, '').replace(/_(\w)/g, (_whole, letter: string) => letter.toUpperCase())
  return Object.fromEntries(error.details.map((fault) => [camel(fault.field), fault.message]))
}
