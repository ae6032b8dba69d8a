"use strict";
// The decoding that the study kept: the viewer's own script shows it (XpflowViewer).
(async () => {
  const data = JSON.parse(await window.xpflow.unpack("data-decoding"));
  XpflowViewer.mount(document.getElementById("viewer"), data, { level: 3 });
})();
