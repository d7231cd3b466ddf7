"""What a newcomer can paste."""

from __future__ import annotations

from textwrap import dedent

MODEL = "ernie-3.5-8k"


def quickstart_text(url: str, token: str) -> str:
    """Base URL, access token, and the same question by curl and by Python."""
    base = f"{url}/llm/lmapi/v3"
    return dedent(f"""\

        base URL      {base}
        access token  {token}
                      (shown this once, and only its hash is stored; more: xinghe token create)

        curl {base}/chat/completions \\
          -H "Authorization: Bearer {token}" -H "Content-Type: application/json" \\
          -d '{{"model": "{MODEL}", "messages": [{{"role": "user", "content": "你好"}}]}}'

        # pip install openai
        from openai import OpenAI
        client = OpenAI(base_url="{base}", api_key="{token}")
        answer = client.chat.completions.create(
            model="{MODEL}", messages=[{{"role": "user", "content": "你好"}}]
        )
        print(answer.choices[0].message.content)
        """)
