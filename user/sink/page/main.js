// SPDX-License-Identifier: MIT
theme.start();
drawOverview();
startTimeline();
startFlames();
startFunctions();
drawSlow();
drawSuspects();
document.documentElement.dataset.ready = "";
