import os
from openai import OpenAI

client = OpenAI(
    api_key=os.environ.get("AI_STUDIO_API_KEY"), # 含有 AI Studio 访问令牌的环境变量,https://aistudio.baidu.com/account/accessToken,
    base_url="https://aistudio.baidu.com/llm/lmapi/v3", # aistudio 大模型 api 服务域名
)
completion = client.chat.completions.create(
    model="ernie-4.0-turbo-8k",
    messages=[
        {
            "role": "user",
            "content": [
                {
                    "type": "text",
                    "text": "2024年奥运会乒乓球男单冠军是谁"
                }
            ]
        }
    ],
    extra_body={
        "web_search": {
            "enable": True,
            "enable_trace": True
        }
    },
    stream=True,
)
search_result = []
for chunk in completion:
    if (len(chunk.choices) > 0):
        if (hasattr(chunk, 'search_results')):
            search_result.extend(chunk.search_results)
        print(chunk.choices[0].delta.content, end="", flush=True)

unique_dict = {}
for item in search_result:
    unique_dict[item["index"]] = item
print("\n参考资料:\n")
for result in list(unique_dict.values()):
    print(str(result["index"]) + ". " + result["title"] + ". " + result["url"] + "\n")
