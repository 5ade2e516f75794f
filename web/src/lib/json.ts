/** Reads a JSON object that somebody typed; an empty text is an empty object. */
export function readObject(text: string): { value: Record<string, unknown>; fault?: string } {
  if (text.trim() === '') return { value: {} }
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return { value: value as Record<string, unknown> }
    return { value: {}, fault: 'must be a JSON object' }
  } catch (cause) {
    return { value: {}, fault: cause instanceof Error ? cause.message : 'is not JSON' }
  }
}
