import os
from openai import OpenAI

client = OpenAI(
    api_key=os.environ.get("AI_STUDIO_API_KEY"),  # 含有 AI Studio 访问令牌的环境变量,https://aistudio.baidu.com/account/accessToken,
    base_url="https://aistudio.baidu.com/llm/lmapi/v3",  # aistudio 大模型 api 服务域名
)
embeddings = client.embeddings.create(
    model="embedding-v1",
    input=[
        "推荐一些美食",
        "给我讲个故事"
    ]
)
print(embeddings)
