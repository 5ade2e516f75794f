import { clsx } from 'clsx'
import type { ReactNode, TextareaHTMLAttributes } from 'react'
import { useId } from 'react'
import type { SchemaField } from '@/lib/schema-form'
import { Field, Input, Select } from './form'

type TextAreaProps = TextareaHTMLAttributes<HTMLTextAreaElement> & { mono?: boolean }

export function TextArea({ className, mono = false, ...rest }: TextAreaProps) {
  return <textarea className={clsx('field h-auto! w-full resize-y py-2', mono && 'font-mono text-[13px]', className)} spellCheck={!mono} {...rest} />
}

interface Choice {
  value: string
  label: string
  hint?: string | undefined
}

interface CheckListProps {
  label: string
  choices: Choice[]
  chosen: string[]
  onChange: (chosen: string[]) => void
  hint?: ReactNode
  error?: string | undefined
  /** Shown where there is nothing to choose from. */
  none?: ReactNode
}

/** Any of several: checkboxes in a group with one label. */
export function CheckList({ label, choices, chosen, onChange, hint, error, none }: CheckListProps) {
  const id = useId()
  return (
    <fieldset className="min-w-0 space-y-1.5" {...((error ?? hint) && { 'aria-describedby': `${id}-note` })} {...(error && { 'aria-invalid': true })}>
      <legend className="mb-1.5 font-medium">{label}</legend>
      {choices.length === 0 && none && <p className="text-[13px] text-ink-3">{none}</p>}
      {choices.length > 0 && (
        <div className={clsx('grid max-h-56 gap-px overflow-y-auto rounded-[7px] border p-1 sm:grid-cols-2', error ? 'border-bad' : 'border-line-strong')}>
          {choices.map((choice) => (
            <label key={choice.value} className="flex min-w-0 cursor-pointer items-start gap-2.5 rounded-md px-2 py-1.5 hover:bg-hover">
              <input
                type="checkbox"
                className="mt-1 size-3.5 shrink-0 accent-(--accent)"
                checked={chosen.includes(choice.value)}
                onChange={(event) => onChange(event.target.checked ? [...chosen, choice.value] : chosen.filter((value) => value !== choice.value))}
              />
              <span className="min-w-0">
                <span className="block break-words">{choice.label}</span>
                {choice.hint && <span className="block truncate text-[13px] text-ink-3">{choice.hint}</span>}
              </span>
            </label>
          ))}
        </div>
      )}
      {(error ?? hint) && (
        <p id={`${id}-note`} className={clsx('text-[13px]', error ? 'text-bad' : 'text-ink-3')}>
          {error ?? hint}
        </p>
      )}
    </fieldset>
  )
}

interface SchemaFieldsProps {
  fields: SchemaField[]
  texts: Record<string, string>
  onChange: (texts: Record<string, string>) => void
  faultAt: (name: string) => string | undefined
}

/** One field for each property of a schema. */
export function SchemaFields({ fields, texts, onChange, faultAt }: SchemaFieldsProps) {
  return fields.map((field) => {
    const value = texts[field.name] ?? ''
    const set = (next: string) => onChange({ ...texts, [field.name]: next })
    const hint = [field.hint, field.kind === 'json' && 'JSON.', !field.required && 'Optional.'].filter(Boolean).join(' ')
    return (
      <Field key={field.name} label={field.label} error={faultAt(field.name)} hint={hint || undefined}>
        {(props) => {
          if (field.kind === 'choice' || field.kind === 'boolean') {
            return (
              <Select {...props} value={value} onChange={(event) => set(event.target.value)}>
                {field.kind === 'boolean' ? (
                  <>
                    <option value="false">No</option>
                    <option value="true">Yes</option>
                  </>
                ) : (
                  ['', ...field.choices].map((choice) => <option key={choice}>{choice}</option>)
                )}
              </Select>
            )
          }
          if (field.kind === 'json') return <TextArea {...props} mono rows={3} value={value} onChange={(event) => set(event.target.value)} />
          if (field.kind === 'text') return <TextArea {...props} rows={1} value={value} onChange={(event) => set(event.target.value)} />
          return <Input {...props} type="number" step={field.kind === 'integer' ? 1 : 'any'} value={value} onChange={(event) => set(event.target.value)} />
        }}
      </Field>
    )
  })
}
