// Two tests that would disturb each other, and one of each tool. Azure is called by curl, with the environment.
import assert from 'node:assert/strict'
import { after, afterEach, before, beforeEach, test } from 'node:test'
import { Acrite } from '../index.js'

let acrite
before(async () => {
  acrite = await Acrite.start()
  await acrite.save('base')
})
beforeEach(() => acrite.load('base'))
afterEach(() => acrite.clearFaults())
after(async () => {
  await acrite.forget('base')
  await acrite.stop()
})

const SCRIPT = `
  token=$(curl -sS "https://login.microsoftonline.com/$AZURE_TENANT_ID/oauth2/v2.0/token" -d grant_type=client_credentials \
    -d "client_id=$AZURE_CLIENT_ID" --data-urlencode "client_secret=$AZURE_CLIENT_SECRET" -d scope=https://management.azure.com/.default |
    sed 's/.*"access_token":"\\([^"]*\\)".*/\\1/')
  curl -sS -o /dev/null -w '%{http_code}' -X "$1" -H "Authorization: Bearer $token" -H 'Content-Type: application/json' \
    -d '{"location": "eastus"}' "https://management.azure.com/subscriptions/$AZURE_SUBSCRIPTION_ID/resourceGroups/tests?api-version=2021-04-01"`
const group = async method => Number((await acrite.run('sh', ['-c', SCRIPT, 'sh', method])).stdout)

test('a group is made', async () => {
  assert.equal(await group('GET'), 404)
  assert.equal(await group('PUT'), 201)
})

test('the next test does not see it', async () => {
  assert.equal(await group('GET'), 404)
  assert.equal(await group('PUT'), 201)
})

test('a fault hits as often as it says', async () => {
  await acrite.fault('arm', '*/resourceGroups/write', { status: 429, times: 1 })
  assert.equal(await group('PUT'), 429)
  assert.equal(await group('PUT'), 201)
  assert.equal((await acrite.faults())[0].hit, 1)
})

test('time passes at once', async () => {
  const before = (await acrite.freeze()).now
  const now = (await acrite.advance(86400)).now
  assert.notEqual(before.slice(0, 10), now.slice(0, 10))
})
