const answer = () => "hello from node";
