import type { FormEvent } from 'react'
import { useState } from 'react'
import { faultsOf } from '@/lib/faults'
import { humanise } from '@/lib/format'
import { Button } from '@/ui/button'
import { Dialog } from '@/ui/dialog'
import { ErrorState } from '@/ui/feedback'
import { Field, Input, Select } from '@/ui/form'
import type { Memory, Scope } from './use-memories'
import { memoryTypes, useMemoryCommands } from './use-memories'

const fields = ['content', 'type', 'importance', 'userId', 'agentId', 'sessionId', 'expiresAt']

/** Adds a memory, of the scope that is looked at unless another is given. */
export function MemoryDialog({ scope, onClose }: { scope: Scope; onClose: () => void }) {
  const { add } = useMemoryCommands()
  const [content, setContent] = useState('')
  const [type, setType] = useState<Memory['type']>('semantic')
  const [owner, setOwner] = useState(scope)
  const [expires, setExpires] = useState('')
  const faults = faultsOf(add.error)
  const unplaced = add.isError && !Object.keys(faults).some((field) => fields.includes(field))

  function submit(event: FormEvent) {
    event.preventDefault()
    const of = Object.fromEntries(Object.entries(owner).filter(([, value]) => value.trim() !== ''))
    add.mutate({ content: content.trim(), type, ...of, ...(expires && { expires_at: new Date(expires).toISOString() }) }, { onSuccess: onClose })
  }

  const ownerField = (key: keyof Scope, label: string, fault: string | undefined) => (
    <Field label={label} error={fault}>
      {(props) => <Input {...props} value={owner[key]} onChange={(e) => setOwner({ ...owner, [key]: e.target.value })} className="font-mono text-[13px]" />}
    </Field>
  )
  return (
    <Dialog
      open
      onClose={onClose}
      title="Add memory"
      footer={
        <>
          <Button onClick={onClose}>Cancel</Button>
          <Button look="primary" type="submit" form="memory-form" disabled={add.isPending}>
            {add.isPending ? 'Adding…' : 'Add'}
          </Button>
        </>
      }
    >
      <form id="memory-form" onSubmit={submit} className="space-y-4">
        <Field label="Memory" error={faults.content}>
          {(props) => (
            <textarea {...props} required rows={3} value={content} onChange={(e) => setContent(e.target.value)} className="field h-auto! w-full resize-y py-2" />
          )}
        </Field>
        <div className="grid gap-4 sm:grid-cols-2">
          <Field label="Type" error={faults.type}>
            {(props) => (
              <Select {...props} value={type} onChange={(e) => setType(e.target.value as Memory['type'])}>
                {memoryTypes.map((name) => (
                  <option key={name} value={name}>
                    {humanise(name)}
                  </option>
                ))}
              </Select>
            )}
          </Field>
          <Field label="Forget at" error={faults.expiresAt} hint="Optional.">
            {(props) => <Input {...props} type="datetime-local" value={expires} onChange={(e) => setExpires(e.target.value)} />}
          </Field>
          {ownerField('user_id', 'User', faults.userId)}
          {ownerField('agent_id', 'Agent', faults.agentId)}
          {ownerField('session_id', 'Session', faults.sessionId)}
        </div>
        {unplaced && <ErrorState compact error={add.error} />}
      </form>
    </Dialog>
  )
}
