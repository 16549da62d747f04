"""Word and PowerPoint files: zip packages of XML parts that refer to each other."""
