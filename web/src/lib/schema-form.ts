/** Forms for what a JSON Schema asks for: its properties as fields, read back as the values they stand for. */

export type Schema = Record<string, unknown>

export interface SchemaField {
  name: string
  label: string
  hint: string
  required: boolean
  /** "json" is whatever no plain field can hold. */
  kind: 'text' | 'number' | 'integer' | 'boolean' | 'choice' | 'json'
  choices: string[]
  initial: string
}

interface Property {
  type?: unknown
  title?: unknown
  description?: unknown
  enum?: unknown
  default?: unknown
  example?: unknown
  examples?: unknown
}

const kinds: Record<string, SchemaField['kind']> = { string: 'text', number: 'number', integer: 'integer', boolean: 'boolean' }
const text = (value: unknown) => (typeof value === 'string' ? value : '')

/** The fields that a schema describes; none when it says nothing of properties. */
export function schemaFields(schema: Schema | null | undefined): SchemaField[] {
  const properties = schema?.properties
  if (typeof properties !== 'object' || properties === null) return []
  const required = Array.isArray(schema?.required) ? schema.required : []
  return Object.entries(properties as Record<string, unknown>).map(([name, found]) => {
    const property: Property = typeof found === 'object' && found !== null ? found : {}
    const choices = Array.isArray(property.enum) && property.enum.every((value) => typeof value === 'string') ? (property.enum as string[]) : []
    const kind = choices.length ? 'choice' : (kinds[text(property.type)] ?? 'json')
    const first = property.default ?? property.example ?? (Array.isArray(property.examples) ? property.examples[0] : undefined)
    const initial = first === undefined ? (kind === 'boolean' ? 'false' : '') : kind === 'json' || typeof first !== 'string' ? JSON.stringify(first) : first
    return { name, label: text(property.title) || name, hint: text(property.description), required: required.includes(name), kind, choices, initial }
  })
}

export const initialTexts = (fields: SchemaField[]): Record<string, string> => Object.fromEntries(fields.map((field) => [field.name, field.initial]))

/** What was filled in, as values; what is empty is left out, and left to the server to miss. */
export function readTexts(fields: SchemaField[], texts: Record<string, string>): { values: Record<string, unknown>; faults: Record<string, string> } {
  const values: Record<string, unknown> = {}
  const faults: Record<string, string> = {}
  for (const { name, kind, required } of fields) {
    const given = texts[name] ?? ''
    // An empty text is a text, where one is asked for.
    if (given.trim() === '' && !(kind === 'text' && required)) continue
    try {
      values[name] = kind === 'text' || kind === 'choice' ? given : JSON.parse(given)
    } catch {
      faults[name] = kind === 'json' ? 'is not JSON' : 'is not a number'
    }
  }
  return { values, faults }
}

/** The places that a template has, {{name}}, in their order. */
export const placesOf = (template: string): string[] => [...new Set([...template.matchAll(/\{\{\s*([A-Za-z_]\w*)\s*\}\}/g)].map((match) => match[1] as string))]
