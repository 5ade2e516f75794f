import type { FormEvent } from 'react'
import { useState } from 'react'
import { Button } from '@/ui/button'
import { Dialog } from '@/ui/dialog'
import { ErrorState } from '@/ui/feedback'
import { Field, Input } from '@/ui/form'
import { useErase } from './use-erasures'

/** Asks twice, since nobody can take it back. */
export function EraseDialog({ onClose }: { onClose: () => void }) {
  const erase = useErase()
  const [subject, setSubject] = useState('')
  const [again, setAgain] = useState('')
  const [reason, setReason] = useState('')
  const same = subject.trim() !== '' && subject.trim() === again.trim()
  function submit(event: FormEvent) {
    event.preventDefault()
    if (same) erase.mutate({ subject: subject.trim(), reason: reason.trim() }, { onSuccess: onClose })
  }
  return (
    <Dialog
      open
      onClose={onClose}
      title="Erase a person’s data"
      footer={
        <>
          <Button onClick={onClose}>Cancel</Button>
          <Button look="danger" type="submit" form="erase-form" disabled={!same || erase.isPending}>
            {erase.isPending ? 'Erasing…' : 'Erase for ever'}
          </Button>
        </>
      }
    >
      <form id="erase-form" onSubmit={submit} className="space-y-4">
        <p>
          Sessions, memories, chats and recorded calls of this person become unreadable in this workspace: in the log, in every table, and in backups made from now on. Nobody can undo it.
        </p>
        <Field label="Subject" hint="The user id that your calls name.">
          {(props) => <Input {...props} required maxLength={512} value={subject} onChange={(e) => setSubject(e.target.value)} className="font-mono text-[13px]" />}
        </Field>
        <Field label="The same again" error={again !== '' && !same ? 'is not the same' : undefined}>
          {(props) => <Input {...props} required value={again} onChange={(e) => setAgain(e.target.value)} className="font-mono text-[13px]" />}
        </Field>
        <Field label="Reason" hint="Optional; kept for ever as part of the proof, so do not describe the person.">
          {(props) => <Input {...props} maxLength={2000} value={reason} onChange={(e) => setReason(e.target.value)} />}
        </Field>
        {erase.isError && <ErrorState compact error={erase.error} />}
      </form>
    </Dialog>
  )
}
