// Reads an Adaptive Card from standard input as Teams does, and says what is wrong with it: one JSON list.
"use strict";

const { AdaptiveCard, SerializationContext, Version } = require("adaptivecards/dist/adaptivecards.min.js");

const card = new AdaptiveCard();
const context = new SerializationContext(Version.parse(process.argv[2]));
card.parse(JSON.parse(require("fs").readFileSync(0, "utf8")), context);
const found = [];
for (let at = 0; at < context.eventCount; at++) {
  found.push(context.getEventAt(at).message);
}
found.push(...card.validateProperties().validationEvents.map((event) => event.message));
process.stdout.write(JSON.stringify(found));
