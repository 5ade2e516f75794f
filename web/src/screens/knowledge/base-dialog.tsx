import type { FormEvent } from 'react'
import { useState } from 'react'
import { canChat, useModels } from '@/lib/api/models'
import { formFaults } from '@/lib/faults'
import { navigate } from '@/lib/router'
import { Button } from '@/ui/button'
import { Dialog } from '@/ui/dialog'
import { ErrorState } from '@/ui/feedback'
import { Field, Input } from '@/ui/form'
import { baseLink } from './knowledge-screen'
import { useKnowledgeCommands } from './use-knowledge'

const fields = ['name', 'description', 'embeddingModel', 'chunkSize', 'chunkOverlap', 'queryModel']
const rare = ['embeddingModel', 'chunkSize', 'chunkOverlap', 'queryModel']

/** Makes a knowledge base; its documents are given to it on its page. */
export function BaseDialog({ onClose }: { onClose: () => void }) {
  const { create } = useKnowledgeCommands('')
  const models = useModels()
  const [draft, setDraft] = useState({ name: '', description: '', embeddingModel: '', queryModel: '', chunkSize: '', chunkOverlap: '' })
  const set = (key: keyof typeof draft) => (event: { target: { value: string } }) => setDraft({ ...draft, [key]: event.target.value })
  const faults = formFaults(create.error, fields)

  function submit(event: FormEvent) {
    event.preventDefault()
    const { name, description, embeddingModel, queryModel, chunkSize, chunkOverlap } = draft
    create.mutate(
      {
        name: name.trim(),
        description: description.trim(),
        ...(embeddingModel.trim() && { embeddingModel: embeddingModel.trim() }),
        ...(queryModel.trim() && { queryModel: queryModel.trim() }),
        ...(chunkSize && { chunkSize: Number(chunkSize) }),
        ...(chunkOverlap && { chunkOverlap: Number(chunkOverlap) }),
      },
      { onSuccess: (base) => navigate(baseLink(base.id)) },
    )
  }

  return (
    <Dialog
      open
      onClose={onClose}
      title="New knowledge base"
      footer={
        <>
          <Button onClick={onClose}>Cancel</Button>
          <Button look="primary" type="submit" form="base-form" disabled={create.isPending}>
            {create.isPending ? 'Creating…' : 'Create'}
          </Button>
        </>
      }
    >
      <form id="base-form" onSubmit={submit} className="space-y-4">
        <Field label="Name" error={faults.at('name')}>
          {(props) => <Input {...props} required maxLength={200} value={draft.name} onChange={set('name')} />}
        </Field>
        <Field label="Description" error={faults.at('description')} hint="Optional.">
          {(props) => <Input {...props} value={draft.description} onChange={set('description')} />}
        </Field>
        <details open={rare.some((field) => faults.at(field))}>
          <summary className="rounded font-medium select-none">How it is embedded</summary>
          <div className="mt-3 space-y-4">
            <Field label="Embedding model" error={faults.at('embeddingModel')} hint="The built-in strata/embed-1 when empty: it needs no network, and knows words, not meaning.">
              {(props) => <Input {...props} list="embedding-models" placeholder="provider/model" value={draft.embeddingModel} onChange={set('embeddingModel')} />}
            </Field>
            <datalist id="embedding-models">
              {models.data?.filter((model) => !canChat(model)).map((model) => (
                <option key={model.id} value={model.id} />
              ))}
            </datalist>
            <div className="grid gap-4 sm:grid-cols-2">
              <Field label="Chunk size" error={faults.at('chunkSize')} hint="Tokens, at most; 512 when empty.">
                {(props) => <Input {...props} type="number" value={draft.chunkSize} onChange={set('chunkSize')} />}
              </Field>
              <Field label="Overlap" error={faults.at('chunkOverlap')} hint="Tokens shared with the one before; 64 when empty.">
                {(props) => <Input {...props} type="number" value={draft.chunkOverlap} onChange={set('chunkOverlap')} />}
              </Field>
            </div>
            <Field label="Query model" error={faults.at('queryModel')} hint="Chat model that writes queries anew when a search wants that. Optional.">
              {(props) => <Input {...props} placeholder="provider/model" value={draft.queryModel} onChange={set('queryModel')} />}
            </Field>
          </div>
        </details>
        {faults.rest && <ErrorState compact error={create.error} />}
      </form>
    </Dialog>
  )
}
