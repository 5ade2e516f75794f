import { ApiError } from './api/client'

const camel = (name: string) => name.replace(/^body\./, '').replace(/_(\w)/g, (_whole, letter: string) => letter.toUpperCase())

/** Faults by field in our spelling, whatever the server's. */
export function faultsOf(error: unknown): Record<string, string> {
  if (!(error instanceof ApiError)) return {}
  return Object.fromEntries(error.details.map((fault) => [camel(fault.field), fault.message]))
}

export interface FormFaults {
  /** What is wrong with a field, or with a part of it: "tools" answers for "tools[2]" as well. */
  at: (field: string) => string | undefined
  /** Whether the error says something that none of the form's fields shows. */
  rest: boolean
}

/** Sorts what a write was refused for by the fields of its form. */
export function formFaults(error: unknown, fields: readonly string[]): FormFaults {
  const faults = Object.entries(faultsOf(error))
  const belongs = (fault: string, field: string) => fault === field || fault.startsWith(`${field}[`) || fault.startsWith(`${field}.`)
  // A part that has a field of its own is said there, and not once more at the whole.
  const owner = (fault: string) => fields.filter((field) => belongs(fault, field)).toSorted((a, b) => b.length - a.length)[0]
  return {
    at: (field) => faults.find(([fault]) => owner(fault) === field)?.[1],
    rest: Boolean(error) && (faults.length === 0 || faults.some(([fault]) => owner(fault) === undefined)),
  }
}
