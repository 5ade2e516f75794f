import type { FormEvent, ReactNode } from 'react'
import { PageHeader } from './bits'
import { Button } from './button'
import { ErrorState } from './feedback'
import { Trail } from './list'

interface Props {
  trail: { to: string; label: string }[]
  title: string
  lead?: ReactNode
  action: string
  pending: boolean
  /** What no field of the form shows. */
  error: unknown
  /** What is to be known or decided before it is saved. */
  notice?: ReactNode
  onSubmit: () => void
  onCancel: () => void
  wide?: boolean
  children: ReactNode
}

/** A form that has a page of its own, as it is too long for a dialog. */
export function FormPage({ trail, title, lead, action, pending, error, notice, onSubmit, onCancel, wide = false, children }: Props) {
  function submit(event: FormEvent) {
    event.preventDefault()
    onSubmit()
  }
  return (
    <div className={wide ? 'space-y-5' : 'mx-auto max-w-3xl space-y-5'}>
      <Trail steps={trail} />
      <PageHeader title={title} lead={lead} />
      <form onSubmit={submit} aria-label={title} className="space-y-5">
        {children}
        {notice}
        {Boolean(error) && <ErrorState error={error} />}
        <div className="flex flex-wrap justify-end gap-2">
          <Button onClick={onCancel}>Cancel</Button>
          <Button look="primary" type="submit" disabled={pending}>
            {pending ? 'Saving…' : action}
          </Button>
        </div>
      </form>
    </div>
  )
}

/** A group of fields. */
export function FormSection({ title, lead, children }: { title: string; lead?: ReactNode; children: ReactNode }) {
  return (
    <section aria-label={title} className="panel space-y-4 p-4">
      <div>
        <h2 className="font-medium">{title}</h2>
        {lead && <p className="text-[13px] text-ink-3">{lead}</p>}
      </div>
      {children}
    </section>
  )
}

/** Fields that are seldom needed. */
export function MoreFields({ title, open = false, children }: { title: string; open?: boolean; children: ReactNode }) {
  return (
    <details className="panel group" open={open}>
      <summary className="rounded-[10px] px-4 py-3 font-medium select-none hover:bg-hover/60">{title}</summary>
      <div className="space-y-4 px-4 pt-1 pb-4">{children}</div>
    </details>
  )
}
