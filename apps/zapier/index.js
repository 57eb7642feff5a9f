// The app is data, generated from the catalogue. zapier-app-definition.oauth.json has the platform's own OAuth.
module.exports = require('./zapier-app-definition.json');
