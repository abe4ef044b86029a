-- draw/init.lua -- sota.draw: pictures. Chart and Picture for plots of your own;
-- the others are methods of loaders, learners and what they give.
return {
  Chart = require "sota.draw.chart",
  Picture = require "sota.draw.picture",
  style = require "sota.draw.style",
  curves = require "sota.draw.curves",
  looks = require "sota.draw.looks",
  inside = require "sota.draw.inside",
  answers = require "sota.draw.answers",
  batch = require "sota.draw.batch",
}
