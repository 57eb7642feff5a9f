// The app is data, made of the catalogue. With the platform's own OAuth: zapier-app-definition.oauth.json.
module.exports = require('./zapier-app-definition.json');
